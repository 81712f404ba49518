"""From predictions to what is said and tracked: controls of all settings together, the calibration of every run."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.classifier import MLPConfig
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.pipelines.judge.tracked_classifiers import track_classifier
from cohortsmith.pipelines.judge.verdict_nodes import summarise_predictions

STUDY = StudyConfig(name="own", source="bids", labels=("CN", "AD"))
N = 60


def predict(arm: str, seed: int, training_set: str, right: float) -> pd.DataFrame:
    random = np.random.default_rng([seed, len(arm), len(training_set)])
    label = np.arange(N) % 2
    called = np.where(random.random(N) < right, label, 1 - label)
    people = {"participant_id": [f"sub-{i:02d}" for i in range(N)], "label": label, "probability": 0.15 + 0.7 * called}
    setting = {"training_set": training_set, "net": "baseline", "fold": np.nan}
    return pd.DataFrame({"arm": arm, "n_synthetic": 0, "seed": seed, "test_set": "test", **setting, **people})


def study_of(training_set: str, control: float) -> pd.DataFrame:
    shares = {"real": 0.7, "synthetic": 0.7, "random-labels": control}
    return pd.concat([predict(arm, seed, training_set, share) for arm, share in shares.items() for seed in range(4)])


def words(predictions: pd.DataFrame, training_set: str) -> list[str]:
    verdicts = summarise_predictions(predictions, JudgeConfig(bootstrap=1000), 1)[2]["verdicts"]
    return [one["word"] for one in verdicts if one["training_set"] == training_set]


def test_a_control_that_is_broken_by_itself_is_judged_among_all_of_the_run():
    one, others = study_of("train-full", 0.62), [study_of(f"train-{n}", 0.5) for n in range(10, 14)]

    assert words(one, "train-full") == ["protocol broken"]
    assert words(pd.concat([one, *others]), "train-full") != ["protocol broken"]


def test_the_run_of_every_classifier_carries_its_calibration_error():
    said = predict("real", 0, "train-full", 1.0)
    partition = said.assign(split="test", diagnosis=said["label"].map(dict(enumerate(STUDY.labels))))
    record = {"training_set": "train-full", "net": "baseline", "arm": "real", "seed": 0, "fold": None}
    record |= {"n_synthetic": 0, "history": [], "best_step": 0, "probabilities": {"test": said["probability"].tolist()}}

    run = track_classifier(STUDY, {"baseline": MLPConfig()}, partition, record)

    assert run.metrics["test.calibration_error"] == pytest.approx(0.15)
