"""What differs from the last run: by content, not by date or name."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.ledger import LedgerRow, State, candidates
from cohortsmith.records import Rejection


class Changes(NamedTuple):
    """What has to be done.

    states: candidate -> state. todo: keys to convert. moves: key -> key under which its result lies.
    gone:   rows of scans that are no longer delivered. dropped: keys whose result has to be removed.
    """

    states: Mapping[str, State]
    todo: tuple[str, ...]
    moves: Mapping[str, str]
    gone: tuple[LedgerRow, ...]
    dropped: tuple[str, ...]


def compare(
    inventory: Inventory, marks: Mapping[str, str], done: Mapping[str, str], last: Iterable[LedgerRow] = ()
) -> Changes:
    """Compare what is delivered with what was done.

    marks: key -> fingerprint of what its scan is made of. done: the same of the results there are. last: last ledger.
    """
    rows = [row for row in last if row.decision != "remove"]
    before = {row.candidate: row for row in rows}
    homes = {mark: key for key, mark in done.items()}
    states = {visit.candidate: _state(visit, marks[visit.key], done, homes, before) for visit in inventory.visits}
    states |= states_of_rejections(inventory.rejections, rows)
    differing = [visit.key for visit in inventory.visits if done.get(visit.key) != marks[visit.key]]
    wanted = {visit.key for visit in inventory.visits}
    return Changes(
        states,
        todo=tuple(key for key in differing if marks[key] not in homes),
        moves={key: homes[marks[key]] for key in differing if marks[key] in homes},
        gone=tuple(_gone(inventory, rows, done, set(marks.values()))),
        dropped=tuple(key for key in done if key not in wanted),
    )


def _state(
    visit: Visit, mark: str, done: Mapping[str, str], homes: Mapping[str, str], before: Mapping[str, LedgerRow]
) -> State:
    if done.get(visit.key) == mark:
        return "unchanged" if visit.candidate in before or not before else "moved"
    if mark in homes:
        return "moved"
    return "changed" if visit.key in done or visit.candidate in before else "new"


def states_of_rejections(rejections: Iterable[Rejection], last: Iterable[LedgerRow]) -> dict[str, State]:
    """Give the state of every rejected candidate: unchanged if the last run set it aside by the same rule."""
    before = {row.candidate: (row.decision, row.rule) for row in last if row.decision != "remove"}
    return {one.candidate: _state_of_rejection(before.get(one.candidate), one.rule) for one in rejections}


def _state_of_rejection(before: tuple[str, str] | None, rule: str) -> State:
    if before is None:
        return "new"
    return "unchanged" if before == ("reject", rule) else "changed"


def _gone(
    inventory: Inventory, rows: list[LedgerRow], done: Mapping[str, str], delivered: set[str]
) -> Iterable[LedgerRow]:
    present = set(candidates(inventory))
    for row in rows:
        has_moved = row.decision == "convert" and done.get(row.key, "") in delivered
        if row.candidate not in present and not has_moved:
            yield row._replace(
                decision="remove", rule="ingest.gone", reason="no longer delivered", file="n/a", state="removed"
            )
