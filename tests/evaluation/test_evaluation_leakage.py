"""A planted leak is refused, by subject and by session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.errors import LeakageError
from cohortsmith.evaluation.leakage import assert_no_leak, person_of, subject_of

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


@pytest.mark.parametrize("written", ["sub-2", "SUB-2_ses-M024", " sub-2_ses-M000"])
def test_an_id_written_in_another_way_is_the_same_person(written: str) -> None:
    with pytest.raises(LeakageError, match="in train and in test"):
        assert_no_leak(SPLITS | {"test": [written]}, {})
    with pytest.raises(LeakageError, match="generator saw test subjects"):
        assert_no_leak({"train": ["sub-1"], "test": ["sub-2"]}, {"AD": ["sub-1", written]})


names = st.from_regex(r"sub-[a-zA-Z0-9]{1,2}", fullmatch=True)
sessions = st.sampled_from(["", "_ses-M000", "_ses-M012"])
sets = st.lists(st.builds("{}{}".format, names, sessions), max_size=6)


@given(train=sets, test=sets, seen=sets)
def test_a_study_is_refused_exactly_where_a_person_is_on_both_sides(train, test, seen) -> None:
    trained, tested, known = ({key.split("_")[0].lower() for key in keys} for keys in (train, test, seen))
    leaks = bool(trained & tested or known - trained)
    refused = False
    try:
        assert_no_leak({"train": train, "test": test}, {"AD": seen})
    except LeakageError:
        refused = True
    assert refused == leaks


@given(name=names, session=sessions)
def test_a_person_is_known_by_the_subject_alone(name: str, session: str) -> None:
    assert person_of(name.upper() + session) == person_of(name)
