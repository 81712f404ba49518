"""Subjects stay whole, classes are shared out as asked, and age and sex are alike."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortsmith.config.study import SplitConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.splits import Sizes, compare_splits, count_sizes, first_sessions, split_subjects

LABELS = ("CN", "AD")


def make_cohort(n_per_class: int, seed: int = 0, sessions: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    subjects = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:03d}" for i in range(2 * n_per_class)],
            "diagnosis": np.repeat(LABELS, n_per_class),
            "age": random.normal(74, 7, 2 * n_per_class),
            "sex": random.choice(["F", "M"], 2 * n_per_class),
        }
    )
    visits = [subjects.assign(session_id=f"ses-M{12 * k:03d}") for k in range(sessions)]
    return pd.concat(visits).sample(frac=1, random_state=seed)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(12, 30), sessions=st.integers(1, 3), seed=st.integers(0, 9))
def test_every_session_of_a_subject_lands_in_the_same_split(n: int, sessions: int, seed: int) -> None:
    cohort = make_cohort(n, seed, sessions)
    split = split_subjects(cohort, SplitConfig(seed=seed), LABELS, candidates=3)
    assert (split.groupby("participant_id")["split"].nunique() == 1).all()
    pd.testing.assert_frame_equal(split.drop(columns="split"), cohort)


def test_each_class_is_shared_out_in_the_asked_fractions() -> None:
    config = SplitConfig(test_fraction=0.3, validation_fraction=0.15)
    split = split_subjects(make_cohort(40), config, LABELS, candidates=3)
    counts = split.groupby(["diagnosis", "split"]).size()
    assert [tuple(counts[label][["train", "validation", "test"]]) for label in LABELS] == [(22, 6, 12)] * 2


def test_the_same_seed_gives_the_same_split_whatever_the_order_of_the_rows() -> None:
    cohort = make_cohort(20)
    one = split_subjects(cohort, SplitConfig(), LABELS, 5)
    other = split_subjects(cohort.iloc[::-1], SplitConfig(), LABELS, 5)
    pd.testing.assert_frame_equal(one.sort_index(), other.sort_index())


def test_another_seed_gives_another_split() -> None:
    cohort = make_cohort(20)
    one, other = (split_subjects(cohort, SplitConfig(seed=seed), LABELS, 1)["split"] for seed in (1, 2))
    assert (one != other).any()


def test_searching_among_more_candidates_never_matches_age_and_sex_worse() -> None:
    cohort = make_cohort(20, seed=3)
    worst = [
        compare_splits(split_subjects(cohort, SplitConfig(), LABELS, k))[["p_age", "p_sex"]].min().min()
        for k in (1, 5, 50)
    ]
    assert worst == sorted(worst)
    assert worst[-1] > 0.3 > worst[0]


def test_p_values_are_those_worked_out_by_hand() -> None:
    # ages 1, 2, 3 against 4, 5, 6: t = 3 / sqrt(2/3) = 3.674 on 4 degrees; sex 3/0 against 0/3: chi-square 6 on 1
    split = pd.DataFrame(
        {
            "participant_id": list("abcdef"),
            "diagnosis": "CN",
            "age": [1, 2, 3, 4, 5, 6],
            "sex": list("FFFMMM"),
            "split": ["test"] * 3 + ["train"] * 3,
        }
    )
    row = compare_splits(split).iloc[0]
    assert row["compared"] == "test with the rest"
    assert row["p_age"] == pytest.approx(0.02131, abs=1e-5)
    assert row["p_sex"] == pytest.approx(0.01431, abs=1e-5)


def test_the_sex_test_sees_how_many_subjects_there_are() -> None:
    few = pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(20)],
            "diagnosis": "CN",
            "sex": list("FFFFFFMMMM") + list("FFFFMMMMMM"),
            "split": ["test"] * 10 + ["train"] * 10,
        }
    )
    many = pd.concat([few.assign(participant_id=few["participant_id"] + f"x{k}") for k in range(10)])
    assert compare_splits(few)["p_sex"].iloc[0] > 0.3
    assert compare_splits(many)["p_sex"].iloc[0] < 0.01


def test_unknown_ages_and_sexes_do_not_stop_the_split() -> None:
    cohort = make_cohort(12).assign(age="n/a").drop(columns="sex")
    split = split_subjects(cohort, SplitConfig(), LABELS, 2)
    assert (compare_splits(split)[["p_age", "p_sex"]] == 1).all(axis=None)


def test_too_few_subjects_of_a_class_are_refused_with_the_numbers() -> None:
    with pytest.raises(StudyError, match="6 subjects: 4 train, 1 validation, 1 test") as caught:
        split_subjects(make_cohort(6), SplitConfig(), LABELS)
    assert caught.value.where == "diagnosis CN"


def test_an_empty_test_set_is_refused_only_if_one_was_asked_for() -> None:
    with pytest.raises(StudyError):
        count_sizes(9, SplitConfig(test_fraction=0.05))
    assert count_sizes(9, SplitConfig(test_fraction=0)) == Sizes(7, 2, 0)


@pytest.mark.parametrize("diagnosis", ["AD", "MCI"])
def test_a_subject_who_changes_diagnosis_is_refused(diagnosis: str) -> None:
    cohort = make_cohort(12, sessions=2).reset_index(drop=True)
    cohort.loc[cohort["diagnosis"].eq("CN").idxmax(), "diagnosis"] = diagnosis
    with pytest.raises(StudyError, match="1 subjects with several diagnoses"):
        split_subjects(cohort, SplitConfig(), LABELS)


def test_the_first_session_is_the_earliest_one_by_name() -> None:
    visits = pd.DataFrame({"participant_id": ["a", "a"], "session_id": ["ses-M12", "ses-M00"], "age": [71, 70]})
    assert first_sessions(visits)["age"].tolist() == [70]
