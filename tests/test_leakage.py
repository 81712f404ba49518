"""The leak that would invalidate a whole study: it must be refused, whatever door it comes in by."""

import pandas as pd
import pytest

from cohortsmith.errors import LeakageError
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.pipelines.judge.nodes import refuse_leaks


def generator(label: str, *subjects: str) -> TrainedGenerator:
    return TrainedGenerator(fitted=None, label=label, subjects=subjects, fingerprint="f", seed=1)


def splits(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["participant_id", "session_id", "split"])


CLEAN = [("sub-1", "ses-1", "train"), ("sub-2", "ses-1", "validation"), ("sub-3", "ses-1", "test")]


def test_a_clean_study_passes_and_says_who_each_generator_saw():
    assert refuse_leaks(splits(*CLEAN), generator("AD", "sub-1")) == {"AD": ["sub-1"]}


def test_a_subject_in_two_splits_by_another_session_is_refused():
    with pytest.raises(LeakageError, match="sub-1"):
        refuse_leaks(splits(*CLEAN, ("sub-1", "ses-2", "test")), generator("AD", "sub-1"))


@pytest.mark.parametrize("seen", ["sub-2", "sub-3"])
def test_a_generator_that_saw_a_held_out_subject_is_refused(seen):
    with pytest.raises(LeakageError, match="generator saw"):
        refuse_leaks(splits(*CLEAN), generator("AD", "sub-1", seen))


def test_a_generator_that_saw_a_stranger_is_refused():
    with pytest.raises(LeakageError, match="no split"):
        refuse_leaks(splits(*CLEAN), generator("AD", "sub-9"))


def test_the_same_id_in_the_external_study_is_another_person():
    rows = [*CLEAN, ("sub-1", "ses-1", "external")]

    assert refuse_leaks(splits(*rows), generator("AD", "sub-1")) == {"AD": ["sub-1"]}
