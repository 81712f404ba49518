"""The plan of a dry run, for reading."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cohortsmith.imaging.sources.ledger import LedgerRow, count_decisions
from cohortsmith.imaging.sources.plan import IngestPlan, planned_ledger

_WIDEST = 160


def print_plan(plan: IngestPlan, role: str) -> None:
    """Print what would become of every scan, then how many per decision and rule; on standard output."""
    rows = planned_ledger(plan)
    console = Console(width=None if Console().is_terminal else _WIDEST)
    console.print(_every_scan(rows, role))
    console.print(_counts(rows, role))
    for warning in plan.inventory.warnings:
        console.print(f"warning: {warning}", highlight=False, markup=False)
    console.print(f"{role}: dry run, nothing was written", highlight=False)


def _every_scan(rows: Iterable[LedgerRow], role: str) -> Table:
    table = Table(title=f"{role}: what would become of every scan", title_justify="left")
    for name in ("candidate", "key", "decision", "state", "rule", "reason"):
        table.add_column(name, overflow="fold")
    for row in rows:
        cells = (row.candidate, row.key, row.decision, row.state, row.rule, row.reason)
        table.add_row(*map(Text, cells))
    return table


def _counts(rows: Iterable[LedgerRow], role: str) -> Table:
    table = Table(title=f"{role}: how many", title_justify="left")
    for name in ("decision", "rule", "scans"):
        table.add_column(name, justify="right" if name == "scans" else "left")
    for decision, rule, count in count_decisions(rows):
        table.add_row(decision, rule, str(count))
    return table
