"""What differs from the last run is found by content."""

from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.imaging.sources.changes import Changes, compare
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.ledger import LedgerRow
from cohortsmith.records import Rejection

KEYS = st.sampled_from([f"sub-{name}_ses-01" for name in "ABCDE"])
MARKS = st.sampled_from("12345")


def listed(marks: dict[str, str], *rejections: Rejection) -> Inventory:
    visits = (
        Visit(key, key[:5], "ses-01", "", "CN", 70.0, "F", 29.0, "n/a", candidate=f"c{key}", rule="r") for key in marks
    )
    return Inventory(tuple(visits), rejections)


def row(key: str, decision: str = "convert", rule: str = "r", candidate: str = "") -> LedgerRow:
    return LedgerRow(candidate or f"c{key}", key, decision, rule, "words", "n/a", "new")


def against(marks: dict[str, str], done: dict[str, str], *last: LedgerRow) -> Changes:
    return compare(listed(marks), marks, done, last)


def test_only_what_is_new_or_changed_is_done() -> None:
    done = {"sub-A_ses-01": "1", "sub-C_ses-01": "3"}
    now = {"sub-A_ses-01": "1", "sub-B_ses-01": "2", "sub-C_ses-01": "x"}
    changes = against(now, done, row("sub-A_ses-01"), row("sub-C_ses-01"))
    assert changes.todo == ("sub-B_ses-01", "sub-C_ses-01")
    assert [changes.states[f"csub-{name}_ses-01"] for name in "ABC"] == ["unchanged", "new", "changed"]


def test_the_same_content_under_another_key_is_moved() -> None:
    changes = against({"sub-B_ses-01": "1"}, {"sub-A_ses-01": "1"}, row("sub-A_ses-01"))
    assert (changes.moves, changes.todo, changes.dropped) == ({"sub-B_ses-01": "sub-A_ses-01"}, (), ("sub-A_ses-01",))
    assert changes.states == {"csub-B_ses-01": "moved"} and changes.gone == ()


def test_the_same_content_and_key_in_another_place_is_moved_without_work() -> None:
    changes = against({"sub-A_ses-01": "1"}, {"sub-A_ses-01": "1"}, row("sub-A_ses-01", candidate="elsewhere"))
    assert changes.states == {"csub-A_ses-01": "moved"}
    assert (changes.todo, changes.moves, changes.gone) == ((), {}, ())


def test_what_is_no_longer_delivered_is_listed_once() -> None:
    changes = against({}, {"sub-A_ses-01": "1"}, row("sub-A_ses-01"), row("sub-B_ses-01", "remove"))
    assert [(one.candidate, one.decision, one.state) for one in changes.gone] == [
        ("csub-A_ses-01", "remove", "removed")
    ]
    assert changes.dropped == ("sub-A_ses-01",)


def test_a_rejection_is_unchanged_while_its_rule_is() -> None:
    rejections = [Rejection("", "ingest", "r", name, "x") for name in ("same", "other", "fresh")]
    last = (row("", "reject", "x", "same"), row("", "reject", "y", "other"))
    states = compare(listed({}, *rejections), {}, {}, last).states
    assert states == {"same": "unchanged", "other": "changed", "fresh": "new"}


@given(now=st.dictionaries(KEYS, MARKS), done=st.dictionaries(KEYS, MARKS))
def test_afterwards_every_key_holds_its_content_and_nothing_else_is_left(
    now: dict[str, str], done: dict[str, str]
) -> None:
    changes = against(now, done)
    after = {key: mark for key, mark in done.items() if key not in changes.dropped}
    after |= {key: done[source] for key, source in changes.moves.items()}
    after |= {key: now[key] for key in changes.todo}
    assert after == now


@given(now=st.dictionaries(KEYS, MARKS))
def test_what_is_done_is_not_done_again(now: dict[str, str]) -> None:
    changes = against(now, now, *(row(key) for key in now))
    assert (changes.todo, changes.moves, changes.dropped, changes.gone) == ((), {}, (), ())
    assert set(changes.states.values()) <= {"unchanged"}
