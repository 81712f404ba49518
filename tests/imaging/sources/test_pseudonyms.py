"""Numbers that stand for persons never change hands."""

import random

from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.ledger import LedgerRow
from cohortsmith.imaging.sources.pseudonyms import keep_names
from cohortsmith.records import Rejection


def delivered(people: list[tuple[str, list[str]]]) -> Inventory:
    """Number persons and their scans in the order given, as the reader does."""
    visits = [
        Visit(
            f"sub-{p:04d}_ses-{s:02d}", f"sub-{p:04d}", f"ses-{s:02d}", "", "n/a", 0.0, "n/a", 0.0, "n/a", candidate=c
        )
        for p, (_, scans) in enumerate(people, 1)
        for s, c in enumerate(scans, 1)
    ]
    return Inventory(tuple(visits), ())


def keys(inventory: Inventory) -> dict[str, str]:
    return {visit.candidate: visit.key for visit in inventory.visits}


def rows(inventory: Inventory) -> list[LedgerRow]:
    return [LedgerRow(v.candidate, v.key, "convert", "r", "w", "f", "new") for v in inventory.visits]


def test_without_an_earlier_run_the_numbers_stay() -> None:
    inventory = delivered([("P", ["a", "b"]), ("Q", ["c"])])
    assert keep_names(inventory, {}, {}) == inventory


def test_newcomers_get_numbers_above_all_others_wherever_they_stand() -> None:
    first = delivered([("P", ["a"]), ("Q", ["c"])])
    second = keep_names(delivered([("new", ["n"]), ("P", ["z", "a"]), ("Q", ["c"])]), {}, {}, rows(first))
    assert keys(second) == {
        "a": "sub-0001_ses-01",
        "z": "sub-0001_ses-02",
        "c": "sub-0002_ses-01",
        "n": "sub-0003_ses-01",
    }
    assert [visit.participant_id for visit in second.visits] == [visit.key[:8] for visit in second.visits]


def test_a_scan_in_another_place_is_known_by_its_content() -> None:
    inventory = delivered([("new", ["n"]), ("P", ["elsewhere"])])
    named = keep_names(inventory, {"n": "2", "elsewhere": "1"}, {"sub-0001_ses-01": "1"})
    assert keys(named)["elsewhere"] == "sub-0001_ses-01" and keys(named)["n"] == "sub-0002_ses-01"


def test_the_number_of_somebody_who_left_is_not_given_to_the_next() -> None:
    first = delivered([("P", ["a"]), ("Q", ["c"])])
    named = keep_names(delivered([("P", ["a"]), ("new", ["n"])]), {}, {}, rows(first))
    assert keys(named) == {"a": "sub-0001_ses-01", "n": "sub-0003_ses-01"}


def test_rejections_follow_their_visit_and_may_have_no_key() -> None:
    first = delivered([("P", ["a"])])
    inventory = delivered([("new", ["n"]), ("P", ["a"])])._replace(
        rejections=(Rejection("sub-0002_ses-01", "ingest", "r", "t2", "x"), Rejection("", "ingest", "r", "no", "x"))
    )
    named = keep_names(inventory, {}, {}, rows(first))
    assert {one.candidate: one.key for one in named.rejections} == {"t2": "sub-0001_ses-01", "no": ""}


@given(before=st.integers(0, 6), after=st.integers(0, 6), seed=st.integers(0, 99))
def test_no_number_ever_changes_hands_in_any_order(before: int, after: int, seed: int) -> None:
    people = [(f"P{index}", [f"{index}a", f"{index}b"]) for index in range(before + after)]
    first = delivered(people[:before])
    shuffled = random.Random(seed).sample(people, len(people))
    second = keys(keep_names(delivered(shuffled), {}, {}, rows(first)))
    assert {name: second[name] for name in keys(first)} == keys(first)
    assert len(set(second.values())) == len(second)
