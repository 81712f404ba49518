"""The ledger: what became of every delivered scan. In = converted + rejected, candidate by candidate."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from cohortsmith.errors import CohortsmithError
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.records import Rejection

Decision = Literal["convert", "reject", "remove"]
State = Literal["new", "changed", "unchanged", "moved", "removed"]


class LedgerRow(NamedTuple):
    """One candidate scan of one run.

    decision: convert or reject; remove for a scan of the last run that is no longer delivered
    rule:     short name of the rule that decided. reason: that rule in words.
    file:     path of what was written, relative to the BIDS folder, n/a if nothing was
    state:    against the last run. moved: the same content, before under another key or in another place.
    """

    candidate: str
    key: str
    decision: Decision
    rule: str
    reason: str
    file: str
    state: State


def candidates(inventory: Inventory) -> list[str]:
    """List the candidate of every visit and rejection, as often as it occurs."""
    visits = [visit.candidate for visit in inventory.visits]
    return visits + [rejection.candidate for rejection in inventory.rejections]


def build_ledger(
    inventory: Inventory,
    files: Mapping[str, str],
    refused: Iterable[Rejection] = (),
    states: Mapping[str, State] | None = None,
    gone: Iterable[LedgerRow] = (),
) -> list[LedgerRow]:
    """List every candidate with what became of it, and what is no longer delivered.

    files: key -> file of the visits that are converted. refused: visits that could not be. states: by candidate.
    Raises `CohortsmithError` naming the candidates for which in = converted + rejected does not hold.
    """
    known, refusals = states or {}, {rejection.key: rejection for rejection in refused}
    rows = [
        *(_converted(visit, files[visit.key], known) for visit in inventory.visits if visit.key in files),
        *(
            _rejected(refusals[visit.key]._replace(candidate=visit.candidate), known)
            for visit in inventory.visits
            if visit.key in refusals and visit.key not in files
        ),
        *(_rejected(rejection, known) for rejection in inventory.rejections),
    ]
    require_balance(candidates(inventory), rows)
    return sorted([*rows, *gone], key=lambda row: (not row.key, row.key, row.decision, row.candidate))


def _converted(visit: Visit, file: str, states: Mapping[str, State]) -> LedgerRow:
    name, reason = visit.candidate, " ".join(visit.reason.split())
    return LedgerRow(name, visit.key, "convert", visit.rule, reason, file, states.get(name, "new"))


def _rejected(rejection: Rejection, states: Mapping[str, State]) -> LedgerRow:
    name, reason = rejection.candidate, " ".join(rejection.reason.split())
    return LedgerRow(name, rejection.key, "reject", rejection.rule, reason, "n/a", states.get(name, "new"))


def require_balance(delivered: Iterable[str], rows: Iterable[LedgerRow]) -> None:
    """Raise `CohortsmithError` unless every delivered candidate has one row and every row a delivered candidate."""
    expected, listed = Counter(delivered), Counter(row.candidate for row in rows)
    wrong = sorted({name for name, count in expected.items() if not name or count > 1} | _different(expected, listed))
    if wrong:
        raise CohortsmithError(
            "delivered scans and the ledger do not balance",
            where="ingest",
            got=", ".join(name or "a candidate without a name" for name in wrong[:20]),
            expected="every candidate once, converted or rejected",
            remedy="this is a fault of cohortsmith: please report it with the kind of source",
        )


def _different(expected: Counter[str], listed: Counter[str]) -> set[str]:
    return {name for name in expected | listed if expected[name] != listed[name]}


def count_decisions(rows: Iterable[LedgerRow]) -> list[tuple[str, str, int]]:
    """Count the rows per decision and rule, in the order of the decisions."""
    counts = Counter((row.decision, row.rule) for row in rows)
    return [(decision, rule, count) for (decision, rule), count in sorted(counts.items())]
