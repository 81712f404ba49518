"""What the report's pipeline hands to the tracker and to the pages: means per arm, millilitres, every file."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.study import StudyConfig
from cohortsmith.pipelines.report.nodes import describe_run, gather_anatomy
from cohortsmith.pipelines.report.pipeline import create_pipeline
from cohortsmith.pipelines.report.tracking_nodes import track_arms

STUDY = StudyConfig(name="own", source="bids", labels=("CN", "AD"))
MEANS = ("balanced_accuracy", "sensitivity", "specificity", "auc", "brier", "calibration_error")


def arm(training_set: str, test_set: str, name: str, accuracy: float, n_synthetic: int = 0) -> dict:
    found = {"training_set": training_set, "net": "baseline", "test_set": test_set, "arm": name}
    found |= {"n_synthetic": n_synthetic, "n_seeds": 4, "balanced_accuracy_sd": np.nan, "low": 0.5, "high": 0.9}
    return found | {f"{metric}_mean": accuracy for metric in MEANS}


@pytest.fixture
def arms() -> pd.DataFrame:
    return pd.DataFrame(
        [
            arm("train-50", "test", "real", 0.7),
            arm("train-50", "external", "real", 0.6),
            arm("train-50", "test", "real+synthetic-500", 0.8, 500),
            arm("train-full", "test", "real", 0.75),
        ]
    )


@pytest.fixture
def differences() -> pd.DataFrame:
    row = {"training_set": "train-50", "net": "baseline", "test_set": "test", "arm": "real+synthetic-500"}
    return pd.DataFrame([{**row, "difference": 0.1, "low": 0.02, "high": 0.18}])


def test_each_arm_of_each_setting_is_one_run_with_parameters_to_filter_by(arms, differences):
    runs = track_arms(STUDY, arms, differences)

    assert [run.name for run in runs] == [
        "real train-50 baseline mean",
        "real+synthetic-500 train-50 baseline mean",
        "real train-full baseline mean",
    ]
    assert runs[1].params == {
        "kind": "arm",
        "study": "own",
        "training_set": "train-50",
        "net": "baseline",
        "arm": "real+synthetic-500",
        "n_synthetic": 500,
        "n_seeds": 4,
        "labels": "CN-AD",
    }


def test_means_bear_the_names_of_single_runs_and_what_is_unknown_is_left_out(arms, differences):
    real, enlarged, _ = track_arms(STUDY, arms, differences)

    assert (real.metrics["test.balanced_accuracy"], real.metrics["external.balanced_accuracy"]) == (0.7, 0.6)
    assert next(iter(real.metrics)) == "test.balanced_accuracy"
    assert {f"test.{name}" for name in MEANS} <= set(real.metrics)
    assert "test.balanced_accuracy.sd" not in real.metrics
    assert "test.minus_real" not in real.metrics
    assert enlarged.metrics["test.minus_real.low"] == 0.02


def test_a_study_of_one_unnamed_setting_is_tracked_as_well(arms, differences):
    columns = ["training_set", "net", "n_synthetic"]
    only = arms[arms["training_set"] == "train-50"].drop(columns=columns)

    runs = track_arms(STUDY, only, differences.drop(columns=columns[:2]))

    assert [(run.name, run.params["n_synthetic"]) for run in runs] == [
        ("real mean", 0),
        ("real+synthetic-500 mean", 500),
    ]


@pytest.mark.parametrize("searched", [True, False])
def test_the_winner_of_a_search_is_gathered_where_there_was_one(searched):
    pipeline = create_pipeline(("training",), STUDY.labels, ("judge",), simulated=False, searched=searched)

    (node,) = [node for node in pipeline.nodes if node.name == "gather_judgement"]
    assert ({"architectures", "optimised_classifier"} <= set(node.inputs)) == searched


@pytest.mark.parametrize(
    ("commit", "changed", "told"),
    [
        ("1234abc", "yes", "git commit 1234abc, with local changes to its files"),
        ("1234abc", "no", "git commit 1234abc, without local changes to its files"),
        ("", "", "not a git checkout"),
    ],
)
def test_the_code_is_named_by_its_commit(commit, changed, told):
    facts = {"command": "kedro run", "date": "2026-11-21", "commit": commit, "code_changed": changed}

    run, methods, _ = describe_run({"study": STUDY.model_dump()}, facts)

    assert run.versions["code"] == told
    assert "Software: cohortsmith" in methods and "git" not in methods.partition("Software")[2]


def test_ventricles_are_given_in_millilitres_controls_before_patients():
    measured = {"source": ["real", "synthetic", "real"], "diagnosis": ["AD", "CN", "CN"]}
    volumes = pd.DataFrame({**measured, "ventricle_volume": [30_000.0, 20_000.0, 18_000.0]})
    check = pd.DataFrame({"source": ["real"], "CN_mean": [18_000.0], "difference": [12_000.0], "p_value": [0.01]})

    shown, compared = gather_anatomy(STUDY, volumes, check)

    assert shown["ventricle_volume"].tolist() == [18.0, 30.0, 20.0]
    assert compared.to_dict("records") == [{"source": "real", "CN_mean": 18.0, "difference": 12.0, "p_value": 0.01}]
