"""Every way of sharing out the scans keeps people apart, and a cross-validation tests everybody once a repeat."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortsmith.config.split import SplitConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.folds import assign_folds
from cohortsmith.evaluation.partitions import COLUMNS, CROSS_VALIDATION, partition_scans, splits_of
from cohortsmith.evaluation.splits import split_subjects

LABELS = ("CN", "AD")
SPLIT = SplitConfig(test=0.2, validation=0.25, train_subsets=(3, 5), folds=3, repeats=2, candidates=5, match=())


def study(n: int, seed: int, n_external: int = 4) -> pd.DataFrame:
    """Draw a study of 2 n subjects with one to three sessions each, split, with the external study's scans below."""
    random = np.random.default_rng(seed)
    rows = [
        {"participant_id": f"sub-{label}{i:02d}", "session_id": f"ses-{visit}", "diagnosis": label}
        for label in LABELS
        for i in range(n)
        for visit in range(random.integers(1, 4))
    ]
    own = split_subjects(pd.DataFrame(rows).sample(frac=1, random_state=seed), SPLIT, LABELS).reset_index(drop=True)
    # The other study's people have the same ids.
    others = own.drop_duplicates("participant_id")[:n_external].assign(split="external", training_set=None)
    both = pd.concat([own, others], ignore_index=True)
    return both.assign(key=both["participant_id"] + "_" + both["session_id"])


def folds_of(splits: pd.DataFrame, config: SplitConfig = SPLIT) -> pd.DataFrame:
    return assign_folds(splits[splits["split"] != "external"], config)


studies = st.builds(study, st.integers(12, 20), st.integers(0, 10_000))


@settings(max_examples=15, deadline=None)
@given(splits=studies)
def test_nobody_is_on_two_sides_of_a_partition(splits):
    table = partition_scans(splits, SPLIT, ["train-3", "train-5", "train-full"], folds_of(splits))
    own = table[table["split"] != "external"]

    assert tuple(table.columns) == COLUMNS
    assert own.groupby(["partition", "participant_id"])["split"].nunique().eq(1).all()
    assert table.groupby("partition").size().eq(len(splits)).all()


@settings(max_examples=15, deadline=None)
@given(splits=studies)
def test_every_subject_is_tested_once_in_each_repeat_and_every_fold_has_all_sets_of_both_diagnoses(splits):
    table = partition_scans(splits, SPLIT, ["train-full"], folds_of(splits))
    dealt = table[table["training_set"] == CROSS_VALIDATION]
    tested = dealt[dealt["split"] == "test"].drop_duplicates(["repeat", "fold", "participant_id"])
    everybody = set(splits.loc[splits["split"] != "external", "participant_id"])

    assert tested.groupby(["repeat", "participant_id"]).size().eq(1).all()
    assert [set(part["participant_id"]) for _, part in tested.groupby("repeat")] == [everybody] * SPLIT.repeats
    own = dealt[dealt["split"] != "external"]
    assert own.groupby(["partition", "split"])["diagnosis"].nunique().eq(2).all()
    assert set(own["split"]) == {"train", "validation", "test"}


@settings(max_examples=15, deadline=None)
@given(splits=studies)
def test_a_smaller_training_set_changes_nobody_else_and_lies_in_the_larger_one(splits):
    table = partition_scans(splits, SPLIT, ["train-3", "train-5", "train-full"])
    sides = {name: rows.set_index("row")["split"] for name, rows in table.groupby("partition")}
    trained = {name: set(splits.loc[side == "train", "participant_id"]) for name, side in sides.items()}

    assert (sides["train-full"] == splits["split"]).all()
    assert trained["train-3"] < trained["train-5"] < trained["train-full"]
    assert [len(trained[name]) for name in ("train-3", "train-5")] == [6, 10]
    held_out = splits["split"].isin(["validation", "test", "external"])
    assert all((side[held_out] == splits.loc[held_out, "split"]).all() for side in sides.values())
    assert all((sides[name][~held_out & (sides[name] != "train")] == "unused").all() for name in sides)


def test_the_external_study_is_never_dealt_out():
    splits = study(12, 1)
    table = partition_scans(splits, SPLIT, ["train-full"], folds_of(splits))

    assert (table.groupby("partition")["split"].apply(lambda split: (split == "external").sum()) == 4).all()
    assert set(table.loc[table["split"] == "external", "row"]) == set(splits.index[splits["split"] == "external"])


def test_folds_of_the_training_set_alone_leave_the_held_out_subjects_unused():
    splits = study(20, 2)
    training = splits[splits["split"] == "train"]
    table = partition_scans(splits, SPLIT, [], assign_folds(training, SPLIT))
    held_out = splits.index[splits["split"].isin(["validation", "test"])]

    assert set(table.loc[table["row"].isin(held_out), "split"]) == {"unused"}


@pytest.mark.parametrize(("validation", "expected"), [(0.25, 3), (2, 2), (0.01, 1)])
def test_a_share_of_the_others_validates_per_diagnosis_one_subject_at_least(validation, expected):
    config = SPLIT.model_copy(update={"validation": validation})
    splits = study(18, 3)
    table = partition_scans(splits, config, [], folds_of(splits))
    validating = table[table["split"] == "validation"].drop_duplicates(["partition", "participant_id"])

    # 12 of 18 subjects are not tested
    assert set(validating.groupby(["partition", "diagnosis"]).size()) == {expected}


def test_another_fold_or_repeat_or_seed_draws_other_validation_subjects():
    splits = study(20, 4)
    tables = [
        partition_scans(splits, SPLIT.model_copy(update={"seed": seed}), [], folds_of(splits)) for seed in (7, 7, 8)
    ]
    drawn = [
        tuple(table.loc[table["split"] == "validation", ["partition", "row"]].itertuples(index=False))
        for table in tables
    ]

    assert drawn[0] == drawn[1] != drawn[2]


def test_the_sets_of_a_partition_take_the_place_of_the_runs_own():
    splits = study(12, 5)
    table = partition_scans(splits, SPLIT, ["train-3"])
    own = splits_of(splits, table.sample(frac=1, random_state=0))

    assert own["key"].tolist() == splits["key"].tolist()
    assert own["split"].tolist() == table["split"].tolist()


@pytest.mark.parametrize(
    ("changes", "told"), [({"validation": 13}, "13 of them"), ({"validation": 8}, "8 of them"), ({}, "3 of them")]
)
def test_a_fold_that_leaves_too_few_to_train_on_names_validation_folds_and_counts(changes, told):
    config = SPLIT.model_copy(update={"minimum_per_class": 5 if changes else 10, **changes})
    splits = study(18, 6)

    with pytest.raises(StudyError, match=told) as refusal:
        partition_scans(splits, config, [], folds_of(splits))
    assert "split.validation, with split.folds 3" in refusal.value.where
    assert refusal.value.got.startswith("12 subjects")


def test_a_fold_may_leave_exactly_as_many_as_are_needed():
    config = SPLIT.model_copy(update={"minimum_per_class": 5, "validation": 7})
    splits = study(18, 6)
    table = partition_scans(splits, config, [], folds_of(splits))
    training = table[table["split"] == "train"].drop_duplicates(["partition", "participant_id"])

    assert set(training.groupby(["partition", "diagnosis"]).size()) == {5}
