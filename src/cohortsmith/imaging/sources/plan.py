"""What a run will do with every delivered scan, decided before the first one is converted."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from cohortsmith.imaging.bids import raw_path
from cohortsmith.imaging.sources.changes import Changes, compare
from cohortsmith.imaging.sources.inventory import Inventory
from cohortsmith.imaging.sources.ledger import LedgerRow, build_ledger
from cohortsmith.imaging.sources.pseudonyms import keep_names
from cohortsmith.imaging.sources.selection import say_first_is_lost, subjects_with_later_sessions
from cohortsmith.records import Rejection


class IngestPlan(NamedTuple):
    """The scans that the study wants, and what has to be done for them.

    marks: key -> fingerprint of what its scan is made of. last: the ledger of the last run.
    """

    inventory: Inventory
    marks: Mapping[str, str]
    changes: Changes
    last: tuple[LedgerRow, ...]


def make_plan(
    inventory: Inventory,
    contents: Mapping[str, str],
    unreadable: Mapping[str, str],
    done: Mapping[str, str],
    last: Iterable[LedgerRow] = (),
    *,
    numbered: bool = False,
) -> IngestPlan:
    """Compare the wanted scans with what was done, so that each is converted once.

    contents: key -> fingerprint; unreadable: key -> why there is none; together every visit's. done: key -> fingerprint
    of the results there are. numbered: keys are numbers given in the order of delivery; known scans keep theirs.
    """
    rows, readable = tuple(last), _without(inventory, unreadable)
    by_candidate = {visit.candidate: contents[visit.key] for visit in readable.visits}
    named = keep_names(readable, by_candidate, done, rows) if numbered else readable
    marks = {visit.key: by_candidate[visit.candidate] for visit in named.visits}
    return IngestPlan(named, marks, compare(named, marks, done, rows), rows)


def _without(inventory: Inventory, unreadable: Mapping[str, str]) -> Inventory:
    subjects = subjects_with_later_sessions(inventory)
    refused = [
        say_first_is_lost(
            Rejection(visit.key, "ingest", unreadable[visit.key], visit.candidate, "scan.unreadable"), subjects
        )
        for visit in inventory.visits
        if visit.key in unreadable
    ]
    visits = tuple(visit for visit in inventory.visits if visit.key not in unreadable)
    return inventory._replace(visits=visits, rejections=(*inventory.rejections, *refused))


def planned_ledger(plan: IngestPlan) -> list[LedgerRow]:
    """Give the ledger that the run would end with if every conversion succeeded."""
    return build_ledger(plan.inventory, bids_files(plan.marks), (), plan.changes.states, plan.changes.gone)


def bids_files(keys: Iterable[str]) -> dict[str, str]:
    """Give key -> path of its scan, relative to the BIDS folder."""
    return {key: raw_path(Path(), key).as_posix() for key in keys}
