"""Effect sizes, calibration and groups of subjects, from the tables that the pipeline has."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.evaluation.calibration import calibrate_arms
from cohortsmith.evaluation.effect_sizes import size_effects
from cohortsmith.evaluation.scores import compare_arms
from cohortsmith.imaging.stored import Stored
from cohortsmith.pipelines.judge.subgroup_nodes import compare_groups, field_strengths

JUDGE = JudgeConfig(bootstrap=100)
N = 60


def predictions(*arms: str, n: int = N) -> pd.DataFrame:
    random = np.random.default_rng(2)
    rows = [
        {"arm": arm, "seed": seed, "test_set": "test", "participant_id": f"sub-{i:02d}", "label": i % 2}
        for arm in arms
        for seed in range(3)
        for i in range(n)
    ]
    return pd.DataFrame(rows).assign(probability=lambda table: random.random(len(table)))


def splits_of(n: int = N, **columns) -> pd.DataFrame:
    names = [f"sub-{i:02d}" for i in range(n)]
    keys = [f"{name}_ses-M000" for name in names]
    return pd.DataFrame({"participant_id": names, "key": keys, "session_id": "ses-M000", "split": "test", **columns})


def scans_of(splits: pd.DataFrame, *tesla: float) -> dict[str, Stored]:
    return {key: Stored({"MagneticFieldStrength": tesla[i % len(tesla)]}) for i, key in enumerate(splits["key"])}


def test_arms_are_compared_within_every_group_that_is_known():
    splits = splits_of(sex=["F"] * 30 + ["M"] * 30, age=[60.0] * 20 + [70.0] * 40)
    strength = np.repeat([1.494, 2.89], 30)

    found = compare_groups(predictions("real", "real+synthetic"), splits, JUDGE, 1, scans_of(splits, *strength))

    assert found[["variable", "group"]].apply(" ".join, axis=1).tolist() == [
        "sex F",
        "sex M",
        "age_band 65-74",
        "age_band below 65",
        "field_strength 1.5",
        "field_strength 3",
    ]
    assert not found["too_few"].any()


def test_a_study_that_knows_nothing_of_its_subjects_has_no_groups():
    assert compare_groups(predictions("real", "synthetic"), splits_of(), JUDGE, 1, {}).empty


def test_in_a_cross_validation_whoever_trains_elsewhere_is_in_a_group_too():
    splits = splits_of(sex=["F"] * 30 + ["M"] * 30).assign(split=["train", "validation", "test"] * 20)
    dealt = predictions("real", "synthetic").assign(training_set="cross-validation", net="baseline", fold=0)
    single = predictions("real", "synthetic").assign(training_set="train-full", net="baseline", fold=np.nan)
    tested = single[single["participant_id"].isin(splits.loc[splits["split"] == "test", "participant_id"])]

    found = compare_groups(pd.concat([dealt, tested]), splits, JUDGE, 1, {})
    sizes = (found["n_controls"] + found["n_patients"]).groupby(found["training_set"]).unique().map(list)

    assert sizes.to_dict() == {"cross-validation": [30], "train-full": [10]}
    assert found.columns[:2].tolist() == ["training_set", "net"]


def test_groups_of_a_handful_are_listed_and_not_judged():
    splits = splits_of(6, sex=["F", "M"] * 3)

    found = compare_groups(predictions("real", "synthetic", n=6), splits, JUDGE, 1, {})

    assert found["too_few"].all() and found["difference"].isna().all()


def test_an_external_scan_is_looked_up_in_its_own_study():
    splits = splits_of(2).assign(key="sub-00_ses-M000", split=["test", "external"])
    own, external = ({"sub-00_ses-M000": Stored({"MagneticFieldStrength": tesla})} for tesla in (1.5, 3))

    assert field_strengths(splits, own, external).tolist() == [1.5, 3.0]


@pytest.mark.parametrize("record", [{}, {"MagneticFieldStrength": "n/a"}])
def test_an_unknown_field_strength_is_missing(record):
    splits = splits_of(1)

    assert field_strengths(splits, {splits["key"][0]: Stored(record)}).isna().all()


def test_a_judgement_of_real_scans_alone_has_calibration_and_no_effects():
    alone = predictions("real")
    differences = compare_arms(alone, 0.95, 100, np.random.default_rng(0))

    assert size_effects(alone, differences).empty
    assert calibrate_arms(alone)["arm"].tolist() == ["real"]
    assert compare_groups(alone, splits_of(sex=["F", "M"] * 30), JUDGE, 1, {}).empty
