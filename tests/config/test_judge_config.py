"""Which arms a configuration means, and what it may not ask for."""

import pytest

from cohortsmith.config.judge import JudgeConfig, NamedArm
from cohortsmith.config.run import read_run_config
from cohortsmith.errors import ConfigurationError


def test_with_one_dose_the_arms_keep_their_names():
    judge = JudgeConfig(arms=("real", "real+classic", "synthetic", "real+synthetic", "real+vae-prior"), n_synthetic=7)

    assert [named.name for named in judge.named_arms] == list(judge.arms)
    assert [named.n_synthetic for named in judge.named_arms] == [0, 0, 7, 7, 7]


def test_with_several_doses_there_is_one_arm_for_each_and_controls_take_the_largest():
    judge = JudgeConfig(arms=("real+oversampling", "real+synthetic"), n_synthetic=[500, 100])

    assert judge.named_arms == (
        NamedArm("real+oversampling", "real+oversampling", 500),
        NamedArm("real+synthetic-100", "real+synthetic", 100),
        NamedArm("real+synthetic-500", "real+synthetic", 500),
    )
    assert judge.doses == (100, 500)


@pytest.mark.parametrize(
    "values",
    [{"n_synthetic": []}, {"n_synthetic": [5, 5]}, {"n_synthetic": 0}, {"nets": []}, {"arms": ["real", "real"]}],
)
def test_nothing_or_the_same_twice_is_refused(values):
    with pytest.raises(ConfigurationError):
        JudgeConfig.read(values, "judge")


def run(tmp_path, judge, **blocks):
    columns = {"further": ["nWBV"]} if "nWBV" in judge.get("reference_columns", ()) else {}
    study = {"name": "own", "source": "bids", "path": str(tmp_path), "labels": ["CN", "AD"], "columns": columns}
    return read_run_config({"study": {**study, **blocks.pop("study", {})}, "judge": judge, **blocks})


SUBSETS = {"split": {"train_subsets": [50]}}
FOLDS = {"split": {"folds": 5}}


@pytest.mark.parametrize(
    ("judge", "blocks"),
    [
        ({}, {}),
        ({"training_sets": [50, "full"]}, SUBSETS),
        ({"n_synthetic": [50, 100], "quarantine": "exclude"}, {"sampler": {"n_samples": 100}}),
        ({"n_synthetic": [50, 101]}, {"sampler": {"n_samples": 100}}),
        ({"nets": ["baseline", "optimised"]}, SUBSETS),
        ({"nets": ["baseline", "optimised"], "optimised": {"kind": "optimized"}}, FOLDS),
        ({"reference_columns": ["age", "mmse", "nWBV"]}, FOLDS),
    ],
)
def test_what_can_be_judged_is_accepted(tmp_path, judge, blocks):
    assert run(tmp_path, judge, **blocks).judge == JudgeConfig(**judge)


@pytest.mark.parametrize(
    ("judge", "blocks", "where"),
    [
        ({"training_sets": ["full", 40]}, SUBSETS, "judge.training_sets"),
        ({"training_sets": [50]}, SUBSETS, "judge.training_sets"),  # the run's own is missing
        ({"n_synthetic": [50, 101], "quarantine": "exclude"}, {"sampler": {"n_samples": 100}}, "judge.n_synthetic"),
        ({"training_sets": [50, "full"], "quarantine": "exclude"}, SUBSETS, "judge.quarantine"),
        ({"quarantine": "exclude"}, FOLDS, "judge.quarantine"),
        ({"nets": ["optimised"]}, FOLDS, "judge.nets"),
        ({"optimised": {"kind": "optimized"}}, {}, "judge.nets"),
        ({}, {"training": {"stop_on": "validation"}}, "training.stop_on"),
        ({"reference_columns": ["eTIV"]}, {}, "judge.reference_columns"),
        ({"reference_columns": ["nWBV"]}, {"study": {"source": "adni"}}, "study.columns.further"),
    ],
)
def test_what_cannot_be_judged_names_the_key(tmp_path, judge, blocks, where):
    with pytest.raises(ConfigurationError) as refusal:
        run(tmp_path, judge, **blocks)

    assert refusal.value.where == f"parameters.{where}"


@pytest.mark.parametrize("further", [["age"], ["a", "a"], ["n WBV"], ["split"]])
def test_a_further_column_takes_no_name_in_use(tmp_path, further):
    with pytest.raises(ConfigurationError):
        run(tmp_path, {}, study={"columns": {"further": further}})
