"""A planted leak is refused, by subject and by session."""

import pytest

from cohortsmith.errors import LeakageError
from cohortsmith.evaluation.leakage import assert_no_leak, subject_of

SPLITS = {"train": ["sub-1", "sub-2"], "validation": ["sub-3"], "test": ["sub-4_ses-M000"], "external": ["sub-9"]}


def test_a_sound_study_passes() -> None:
    assert_no_leak(SPLITS, {"CN": ["sub-1_ses-M000"], "AD": ["sub-2"]})


def test_a_key_names_its_subject() -> None:
    assert subject_of("sub-1_ses-M012_T1w") == subject_of("sub-1") == "sub-1"


@pytest.mark.parametrize("split", ["validation", "test", "external"])
def test_another_session_of_a_training_subject_is_refused(split: str) -> None:
    leaking = SPLITS | {split: ["sub-2_ses-M024"]}
    with pytest.raises(LeakageError, match=rf"in train and in {split}[\s\S]*1 subjects: sub-2"):
        assert_no_leak(leaking, {})


@pytest.mark.parametrize(("split", "subject"), [("validation", "sub-3"), ("test", "sub-4"), ("external", "sub-9")])
def test_a_generator_that_saw_a_held_out_subject_is_refused(split: str, subject: str) -> None:
    with pytest.raises(LeakageError, match=f"the AD generator saw {split} subjects"):
        assert_no_leak(SPLITS, {"CN": ["sub-1"], "AD": ["sub-2", f"{subject}_ses-M036"]})


def test_a_generator_that_saw_an_unknown_subject_is_refused() -> None:
    with pytest.raises(LeakageError, match="in no split"):
        assert_no_leak(SPLITS, {"CN": ["sub-77"]})


def test_many_leaked_subjects_are_counted_and_five_are_named() -> None:
    subjects = [f"sub-{i}" for i in range(8)]
    with pytest.raises(LeakageError, match=r"8 subjects: sub-0, sub-1, sub-2, sub-3, sub-4, \.\.\."):
        assert_no_leak({"train": subjects, "test": subjects}, {})
