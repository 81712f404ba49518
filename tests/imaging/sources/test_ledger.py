"""In = converted + rejected, for whatever a reader finds and whatever becomes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.errors import CohortsmithError
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.ledger import LedgerRow, build_ledger, candidates, count_decisions, require_balance
from cohortsmith.records import Rejection

NAMES = st.lists(st.text("abcdef0123456789", min_size=1, max_size=6), unique=True, max_size=12)


def visit(name: str, key: str = "") -> Visit:
    key = key or f"sub-{name}_ses-01"
    subject, session = key.split("_")
    return Visit(
        key, subject, session, "/secret", "CN", 70.0, "F", 29.0, "n/a", candidate=name, rule="x.only", reason="alone"
    )


def refusal(name: str) -> Rejection:
    return Rejection(f"sub-{name}_ses-01", "ingest", "a\nreason", name, "x.other")


@given(names=NAMES, data=st.data())
def test_every_candidate_is_converted_or_rejected_exactly_once(names: list[str], data: st.DataObject) -> None:
    fates = {name: data.draw(st.sampled_from(["convert", "fail", "reject"])) for name in names}
    inventory = Inventory(
        tuple(visit(name) for name, fate in fates.items() if fate != "reject"),
        tuple(refusal(name) for name, fate in fates.items() if fate == "reject"),
    )
    files = {f"sub-{name}_ses-01": f"{name}.nii.gz" for name, fate in fates.items() if fate == "convert"}
    failed = [refusal(name) for name, fate in fates.items() if fate == "fail"]

    rows = build_ledger(inventory, files, failed)

    assert sorted(row.candidate for row in rows) == sorted(candidates(inventory))
    assert {row.candidate for row in rows if row.decision == "convert"} == {
        n for n, f in fates.items() if f == "convert"
    }
    assert sum(count for *_, count in count_decisions(rows)) == len(names)
    assert all(row.rule and row.reason and "\n" not in row.reason for row in rows)


def test_a_visit_that_was_neither_converted_nor_refused_is_named() -> None:
    with pytest.raises(CohortsmithError, match="balance") as caught:
        build_ledger(Inventory((visit("lost"), visit("kept")), ()), {"sub-kept_ses-01": "f"})
    assert caught.value.got == "lost"


def test_a_candidate_that_is_listed_twice_is_named() -> None:
    twice = Inventory((visit("a"), visit("a", "sub-b_ses-01")), ())
    with pytest.raises(CohortsmithError) as caught:
        build_ledger(twice, {"sub-a_ses-01": "f", "sub-b_ses-01": "f"})
    assert caught.value.got == "a"


def test_a_candidate_without_a_name_is_refused() -> None:
    with pytest.raises(CohortsmithError, match="without a name"):
        build_ledger(Inventory((), (Rejection("", "ingest", "r", "", "x"),)), {})


def test_a_row_without_a_candidate_is_refused() -> None:
    with pytest.raises(CohortsmithError, match="extra"):
        require_balance([], [LedgerRow("extra", "", "reject", "x", "r", "n/a", "new")])


def test_a_scan_that_is_gone_is_listed_beside_the_balance() -> None:
    gone = LedgerRow("old", "sub-old_ses-01", "remove", "ingest.gone", "no longer delivered", "n/a", "removed")
    rows = build_ledger(Inventory((visit("a"),), ()), {"sub-a_ses-01": "f"}, gone=[gone])
    assert [(row.candidate, row.decision) for row in rows] == [("a", "convert"), ("old", "remove")]


def test_no_row_holds_the_place_of_delivery() -> None:
    rows = build_ledger(Inventory((visit("a"),), (refusal("b"),)), {"sub-a_ses-01": "f"})
    assert not any("secret" in cell for row in rows for cell in row)
