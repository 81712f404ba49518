"""Folds by subject: each is tested once per repeat, and diagnoses and sites are spread evenly."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortsmith.config.split import SplitConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.folds import assign_folds


def make_cohort(n_controls: int, n_patients: int, seed: int = 0, sessions: int = 2) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    n = n_controls + n_patients
    subjects = pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(n)],
            "diagnosis": ["CN"] * n_controls + ["AD"] * n_patients,
            "site": random.integers(0, 5, n).astype(str),
        }
    )
    visits = [subjects.assign(session_id=f"ses-{k}") for k in range(sessions)]
    return pd.concat(visits).sample(frac=1, random_state=seed)


@settings(max_examples=25, deadline=None)
@given(
    n_controls=st.integers(6, 40),
    n_patients=st.integers(6, 40),
    folds=st.integers(2, 6),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_each_subject_is_tested_once_per_repeat_and_folds_are_alike(
    n_controls: int, n_patients: int, folds: int, repeats: int, seed: int
) -> None:
    cohort = make_cohort(n_controls, n_patients, seed)
    table = assign_folds(cohort, SplitConfig(folds=folds, repeats=repeats, seed=seed))
    assert set(map(tuple, table[["participant_id", "repeat"]].to_numpy())) == {
        (subject, repeat) for subject in cohort["participant_id"] for repeat in range(repeats)
    }
    assert len(table) == repeats * (n_controls + n_patients)
    assert sorted(table["fold"].unique()) == list(range(folds))
    subjects = table.merge(cohort[["participant_id", "diagnosis", "site"]].drop_duplicates(), on="participant_id")
    for by in (["diagnosis"], ["diagnosis", "site"]):
        counts = subjects.groupby(["repeat", *by])["fold"].value_counts().unstack(fill_value=0)
        assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 1


def test_the_same_seed_gives_the_same_folds_whatever_the_order_of_the_rows() -> None:
    cohort, config = make_cohort(10, 12), SplitConfig(folds=4, repeats=2)
    pd.testing.assert_frame_equal(assign_folds(cohort, config), assign_folds(cohort.iloc[::-1], config))


def test_repeats_and_seeds_give_other_folds() -> None:
    table = assign_folds(make_cohort(10, 12), SplitConfig(folds=4, repeats=2))
    other = assign_folds(make_cohort(10, 12), SplitConfig(folds=4, repeats=2, seed=8))
    one, two = (rows["fold"].tolist() for _, rows in table.groupby("repeat"))
    assert one != two
    assert table["fold"].tolist() != other["fold"].tolist()


def test_sites_are_left_alone_where_they_are_not_to_be_matched() -> None:
    cohort = make_cohort(20, 20)
    config = SplitConfig(folds=5, match=("age",))
    pd.testing.assert_frame_equal(assign_folds(cohort, config), assign_folds(cohort.drop(columns="site"), config))


def test_fewer_subjects_of_a_diagnosis_than_folds_are_refused() -> None:
    with pytest.raises(StudyError, match="3 subjects of AD"):
        assign_folds(make_cohort(9, 3), SplitConfig(folds=4))
