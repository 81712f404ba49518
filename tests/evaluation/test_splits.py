"""Subjects stay whole, classes are shared out as asked, smaller training sets lie inside larger ones."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortsmith.config.split import SplitConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.leakage import assert_no_leak
from cohortsmith.evaluation.splits import Sizes, count, count_sizes, split_subjects

LABELS = ("CN", "AD")
QUICK = {"candidates": 3}


def make_cohort(n_controls: int, seed: int = 0, sessions: int = 1, n_patients: int | None = None) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    n_patients = n_controls if n_patients is None else n_patients
    n = n_controls + n_patients
    subjects = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:03d}" for i in range(n)],
            "diagnosis": np.repeat(LABELS, [n_controls, n_patients]),
            "age": random.normal(74, 7, n),
            "sex": random.choice(["F", "M"], n),
            "site": random.integers(0, 8, n).astype(str),
        }
    )
    visits = [subjects.assign(session_id=f"ses-M{12 * k:03d}") for k in range(sessions)]
    return pd.concat(visits).sample(frac=1, random_state=seed)


def sizes(split: pd.DataFrame, column: str = "split") -> dict[tuple[str, str], int]:
    subjects = split.drop_duplicates("participant_id")
    return subjects.groupby(["diagnosis", column]).size().to_dict()


def test_the_papers_numbers() -> None:
    """Test 100 + 100, 20 % of the rest to validate, rounded down per diagnosis, two nested smaller training sets."""
    config = SplitConfig(test=100, validation=0.2, train_subsets=(50, 100), **QUICK)
    split = split_subjects(make_cohort(403, n_patients=362), config, LABELS)
    assert sizes(split) == {
        ("CN", "train"): 243,
        ("CN", "validation"): 60,
        ("CN", "test"): 100,
        ("AD", "train"): 210,
        ("AD", "validation"): 52,
        ("AD", "test"): 100,
    }
    assert sizes(split, "training_set") == {
        ("CN", "train-50"): 50,
        ("CN", "train-100"): 50,
        ("CN", "train-full"): 143,
        ("AD", "train-50"): 50,
        ("AD", "train-100"): 50,
        ("AD", "train-full"): 110,
    }


@settings(max_examples=15, deadline=None)
@given(n=st.integers(12, 30), n_sessions=st.integers(1, 3), seed=st.integers(0, 9))
def test_every_session_of_a_subject_lands_in_the_same_set(n: int, n_sessions: int, seed: int) -> None:
    cohort = make_cohort(n, seed, n_sessions)
    split = split_subjects(cohort, SplitConfig(seed=seed, train_subsets=(4, 6), **QUICK), LABELS)
    assert (split.groupby("participant_id")[["split", "training_set"]].nunique(dropna=False) == 1).all(axis=None)
    pd.testing.assert_frame_equal(split.drop(columns=["split", "training_set"]), cohort)


writings = st.sampled_from([str, str.upper, lambda name: name.replace("sub", "SUB"), lambda name: f" {name} "])


@settings(max_examples=15, deadline=None)
@given(data=st.data(), seed=st.integers(0, 99))
def test_no_mixture_of_sessions_and_ways_of_writing_an_id_leaks(data, seed: int) -> None:
    cohort = make_cohort(14, seed, sessions=3).head(70).reset_index(drop=True)
    written = [data.draw(writings)(f"{name}x") for name in cohort["participant_id"]]
    split = split_subjects(
        cohort.assign(participant_id=written), SplitConfig(seed=seed, minimum_per_class=1, **QUICK), LABELS
    )
    assert (split.groupby(split["participant_id"].str.strip().str.lower())["split"].nunique() == 1).all()
    keys = split["participant_id"] + "_" + split["session_id"]
    sets = {str(name): keys[rows.index].tolist() for name, rows in split.groupby("split")}
    assert_no_leak(sets, dict.fromkeys(LABELS, sets["train"]))


wishes = st.one_of(st.just(0), st.floats(0.05, 0.4), st.integers(1, 15))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(50, 300), test=wishes, validation=wishes)
def test_sizes_add_up_and_every_wanted_set_has_someone(n: int, test: float, validation: float) -> None:
    shared = count_sizes(n, SplitConfig(test=test, validation=validation))
    assert sum(shared) == n and shared.train >= 5
    assert (shared.test > 0) == (test > 0) and (shared.validation > 0) == (validation > 0)


@pytest.mark.parametrize(
    ("wanted", "n", "counted"), [(0.2, 303, 60), (0.2, 262, 52), (0.29, 100, 29), (1, 9, 1), (7, 9, 7), (0, 9, 0)]
)
def test_shares_are_rounded_down_and_counts_are_taken_as_they_are(wanted: float, n: int, counted: int) -> None:
    assert count(wanted, n) == counted


def test_the_same_seed_gives_the_same_split_whatever_the_order_of_the_rows() -> None:
    cohort = make_cohort(20)
    one = split_subjects(cohort, SplitConfig(candidates=5), LABELS)
    other = split_subjects(cohort.iloc[::-1], SplitConfig(candidates=5), LABELS)
    pd.testing.assert_frame_equal(one.sort_index(), other.sort_index())


def test_another_seed_gives_another_split() -> None:
    cohort = make_cohort(20)
    one, other = (split_subjects(cohort, SplitConfig(seed=seed, **QUICK), LABELS)["split"] for seed in (1, 2))
    assert (one != other).any()


def test_smaller_training_sets_change_neither_the_test_nor_the_validation_set() -> None:
    cohort = make_cohort(40)
    plain = split_subjects(cohort, SplitConfig(**QUICK), LABELS)
    small = split_subjects(cohort, SplitConfig(train_subsets=(8, 16), train_on=16, **QUICK), LABELS)
    pd.testing.assert_series_equal(small["split"].replace("unused", "train"), plain["split"])


def test_learning_from_a_smaller_training_set_leaves_the_others_unused() -> None:
    config = SplitConfig(test=10, validation=5, train_subsets=(16, 8), train_on=16, **QUICK)
    split = split_subjects(make_cohort(40), config, LABELS)
    assert sizes(split)[("CN", "train")] == sizes(split)[("AD", "train")] == 16
    assert sizes(split)[("CN", "unused")] == 9
    assert set(split.loc[split["split"] == "train", "training_set"]) == {"train-8", "train-16"}
    assert split.loc[split["split"].isin(["test", "validation"]), "training_set"].isna().all()


def test_a_subset_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(StudyError, match="13 train") as caught:
        split_subjects(make_cohort(20), SplitConfig(train_subsets=(14,)), LABELS)
    assert "at least 14 to train on" in str(caught.value)


def test_unknown_ages_sexes_and_sites_do_not_stop_the_split() -> None:
    cohort = make_cohort(12).assign(age="n/a", site=None).drop(columns="sex")
    assert sizes(split_subjects(cohort, SplitConfig(**QUICK), LABELS))[("CN", "train")] == 8


def test_too_few_subjects_of_a_class_are_refused_with_the_numbers() -> None:
    with pytest.raises(StudyError, match="6 subjects: 4 train, 1 validation, 1 test") as caught:
        split_subjects(make_cohort(6), SplitConfig(), LABELS)
    assert caught.value.where == "diagnosis CN"


def test_a_diagnosis_without_anyone_is_refused() -> None:
    with pytest.raises(StudyError, match="0 subjects"):
        split_subjects(make_cohort(12, n_patients=0), SplitConfig(**QUICK), LABELS)


def test_an_empty_test_set_is_refused_only_if_one_was_asked_for() -> None:
    with pytest.raises(StudyError):
        count_sizes(9, SplitConfig(test=0.05))
    assert count_sizes(9, SplitConfig(test=0, validation=0.3)) == Sizes(7, 2, 0)


@pytest.mark.parametrize("diagnosis", ["AD", "MCI"])
def test_a_subject_who_changes_diagnosis_is_refused(diagnosis: str) -> None:
    cohort = make_cohort(12, sessions=2).reset_index(drop=True)
    cohort.loc[cohort["diagnosis"].eq("CN").idxmax(), "diagnosis"] = diagnosis
    with pytest.raises(StudyError, match="1 subjects with several diagnoses"):
        split_subjects(cohort, SplitConfig(**QUICK), LABELS)


def test_a_person_with_a_diagnosis_per_way_of_writing_the_id_is_refused() -> None:
    cohort = make_cohort(12).assign(participant_id=lambda rows: rows["participant_id"] + "a")
    patient = cohort["diagnosis"].eq("AD").to_numpy().argmax()
    control = cohort.loc[cohort["diagnosis"] == "CN", "participant_id"].iloc[0]
    cohort.iloc[patient, cohort.columns.get_loc("participant_id")] = control.upper()
    with pytest.raises(StudyError, match="1 subjects with several diagnoses"):
        split_subjects(cohort, SplitConfig(**QUICK), LABELS)


def test_ten_thousand_candidates_of_a_large_study_take_seconds() -> None:
    config = SplitConfig(test=100, validation=0.2, candidates=10_000)
    started = time.process_time()
    split_subjects(make_cohort(403, n_patients=362), config, LABELS)
    assert time.process_time() - started < 10
