"""Sessions are ordered by time and not by their letters."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.evaluation.sessions import first_sessions, in_order, months, natural_order


def visits(labels: list[str], **columns: list) -> pd.DataFrame:
    return pd.DataFrame({"participant_id": "sub-1", "session_id": labels, **columns})


@pytest.mark.parametrize(
    "ordered",
    [
        ["ses-M000", "ses-M006", "ses-M012", "ses-M100"],
        ["ses-M0", "ses-M6", "ses-M12", "ses-M100"],
        ["ses-1", "ses-2", "ses-10"],
        ["ses-v2b1", "ses-v2b10", "ses-v10b1"],
        ["ses-baseline", "ses-Followup2", "ses-followup10"],
    ],
)
def test_numbers_within_labels_count_as_numbers(ordered: list[str]) -> None:
    for shuffled in (ordered[::-1], sorted(ordered)):
        assert in_order(visits(shuffled))["session_id"].tolist() == ordered


@given(st.lists(st.integers(0, 400), min_size=1, max_size=8, unique=True), st.randoms(use_true_random=False))
def test_any_months_are_put_in_order(numbers: list[int], random) -> None:
    shuffled = random.sample(numbers, len(numbers))
    ordered = in_order(visits([f"ses-M{number}" for number in shuffled]))
    assert months(ordered).tolist() == sorted(numbers)


def test_labels_that_differ_in_zeros_alone_are_equal() -> None:
    assert natural_order("ses-M00") == natural_order("ses-M000") != natural_order("ses-M006")


def test_days_come_before_labels_where_all_are_known() -> None:
    table = visits(["ses-pre", "ses-post"], day=[0, 90])
    assert in_order(table.iloc[::-1])["session_id"].tolist() == ["ses-pre", "ses-post"]
    half = table.assign(day=[0, None])
    assert in_order(half)["session_id"].tolist() == ["ses-post", "ses-pre"]


def test_months_come_before_labels_where_all_are_known() -> None:
    table = visits(["ses-b", "ses-a"], month=[0, 6])
    assert in_order(table)["session_id"].tolist() == ["ses-b", "ses-a"]


def test_a_day_unknown_of_one_subject_leaves_the_others_in_their_order() -> None:
    one, other = visits(["ses-pre", "ses-post"], day=[0.0, 9.0]), visits(["ses-2", "ses-1"], day=[0.0, None])
    both = pd.concat([one, other.assign(participant_id="sub-2")])
    assert in_order(both)["session_id"].tolist() == ["ses-pre", "ses-post", "ses-1", "ses-2"]


def test_the_first_session_is_the_earliest_and_not_the_first_by_letters() -> None:
    table = visits(["ses-10", "ses-9"], age=["71.5", "n/a"])
    assert first_sessions(table)["session_id"].tolist() == ["ses-9"]
    assert first_sessions(table)["age"].isna().all()


def test_a_person_written_in_two_ways_has_one_first_session() -> None:
    table = pd.DataFrame({"participant_id": ["sub-a1", "sub-A1"], "session_id": ["ses-2", "ses-1"]})
    assert first_sessions(table)["session_id"].tolist() == ["ses-1"]
