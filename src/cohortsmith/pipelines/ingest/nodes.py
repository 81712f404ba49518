"""Turn whatever was delivered into BIDS; set aside, with its reason, whatever cannot be."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import CohortsmithError, ScanRejected
from cohortsmith.execution import Outcome, run_items
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.bids_tables import HIGHEST_AGE, SCAN_COLUMNS, FolderDescription
from cohortsmith.imaging.bids_validation import Issue, validate_bids
from cohortsmith.imaging.sources import Inventory, Visit, convert_visit, has_labels, hash_scan, read_source
from cohortsmith.imaging.sources.changes import states_of_rejections
from cohortsmith.imaging.sources.inventory import ClinicalVisit
from cohortsmith.imaging.sources.ledger import LedgerRow, build_ledger
from cohortsmith.imaging.sources.plan import IngestPlan, bids_files, make_plan
from cohortsmith.imaging.sources.pseudonym_map import write_pseudonym_map
from cohortsmith.imaging.sources.selection import say_first_is_lost, select, subjects_with_later_sessions
from cohortsmith.imaging.stored import Stored
from cohortsmith.records import Rejection

from .moves import move_results
from .printing import print_plan

log = logging.getLogger(__name__)
_FEW, _FEW_JOBS = 32, 3  # scans, and jobs of a thousand headers, for which no worker is worth its start
_WHO = ("key", "participant_id", "session_id", "diagnosis", "age", "sex", "mmse", "site")
Batch = tuple[dict[str, Stored | None], list[dict[str, str]]]


def list_visits(study: StudyConfig, execution: ExecutionConfig, delivered: Any = None, *, role: str) -> Inventory:
    """List every scan that the study offers. `delivered` only orders this node after a simulated delivery."""

    def work(function: Any, items: dict[str, tuple[Any, ...]]) -> Iterator[Any]:
        for outcome in _run(function, items, execution, f"read {role} headers", few=_FEW_JOBS):
            if outcome.error:
                raise outcome.error
            yield outcome.value

    inventory = read_source(study, external=role == "external", work=work)
    for warning in inventory.warnings:
        log.warning("%s: %s", role, warning)
    return inventory


def _run(
    function: Any, items: dict[str, tuple[Any, ...]], execution: ExecutionConfig, title: str, *, few: int = _FEW
) -> Iterator[Outcome]:
    """Do a few items at once here, many in worker processes, whose start takes seconds."""
    if len(items) > few:
        yield from run_items(function, items, execution=execution, title=title)
        return
    for key, arguments in items.items():
        try:
            yield Outcome(key, value=function(*arguments))
        except CohortsmithError as error:
            yield Outcome(key, error=error)


def plan_ingest(
    inventory: Inventory,
    done: dict[str, Stored],
    last: pd.DataFrame | None,
    study: StudyConfig,
    ingest: IngestConfig,
    execution: ExecutionConfig,
    *,
    role: str,
) -> IngestPlan:
    """Decide what becomes of each scan: the study's choice is applied, and its content compared with what was done."""
    has_diagnoses = has_labels(study, external=role == "external")
    wanted = select(inventory, ingest, study.labels if has_diagnoses else ())
    items = {visit.key: (visit,) for visit in wanted.visits}
    contents: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for outcome in _run(hash_scan, items, execution, f"compare {role} scans"):
        if outcome.error:
            unreadable[outcome.key] = str(outcome.error)
        else:
            contents[outcome.key] = outcome.value
    marks = {
        visit.key: fingerprint("ingest", visit.orientation, contents[visit.key])
        for visit in wanted.visits
        if visit.key in contents
    }
    ledger = [] if last is None else [LedgerRow(*row) for row in last.itertuples(index=False, name=None)]
    before = {key: stored.record.get("Fingerprint", "") for key, stored in done.items()}
    return make_plan(wanted, marks, unreadable, before, ledger, numbered=not has_diagnoses)


def show_plan(plan: IngestPlan, *, role: str) -> None:
    """Print what would become of each scan."""
    print_plan(plan, role)


def convert_scans(
    plan: IngestPlan, done: dict[str, Stored], execution: ExecutionConfig, *, role: str
) -> Iterator[Batch]:
    """Write each visit's scan into BIDS at once, unless the same content was converted before."""
    rejections, subjects = list(plan.inventory.rejections), subjects_with_later_sessions(plan.inventory)
    for key, stored in move_results(plan.changes.moves, done):
        yield {key: stored}, _rows(rejections)
    yield dict.fromkeys(plan.changes.dropped), _rows(rejections)
    visits = {visit.key: visit for visit in plan.inventory.visits}
    todo = {key: (visits[key],) for key in plan.changes.todo}
    for outcome in run_items(convert_one, todo, execution=execution, title=f"convert {role} scans to BIDS"):
        if outcome.error:
            rejections.append(say_first_is_lost(_refused(visits[outcome.key], outcome.error), subjects))
            yield {outcome.key: None}, _rows(rejections)
        else:
            record = {**outcome.value.record, "Fingerprint": plan.marks[outcome.key]}
            yield {outcome.key: outcome.value._replace(record=record)}, _rows(rejections)


def convert_one(visit: Visit) -> Stored:
    """Convert one visit in a worker process."""
    converted = convert_visit(visit)
    return Stored(dict(converted.sidecar), converted.volume)


def _refused(visit: Visit, error: CohortsmithError) -> Rejection:
    rule = "scan.unusable" if isinstance(error, ScanRejected) else "scan.worker_died"
    return Rejection(visit.key, "ingest", str(error), visit.candidate, rule)


def write_ledger(
    plan: IngestPlan, scans: dict[str, Stored], rejections: list[dict[str, str]], ingest: IngestConfig, *, role: str
) -> tuple[pd.DataFrame, list[str]]:
    """List every candidate with what became of it; beside it what the source lacks, and the pseudonym map if wanted."""
    planned = set(plan.inventory.rejections)
    refused = [one for one in (Rejection(**row) for row in rejections) if one not in planned]
    states = {**plan.changes.states, **states_of_rejections(refused, plan.last)}
    rows = build_ledger(plan.inventory, bids_files(scans), refused, states, plan.changes.gone)
    if ingest.pseudonym_map:
        write_pseudonym_map(Path(ingest.pseudonym_map), role, plan.inventory, rows)
    return pd.DataFrame(rows, columns=list(LedgerRow._fields)), list(plan.inventory.warnings)


def describe_participants(plan: IngestPlan, scans: dict[str, Stored]) -> pd.DataFrame:
    """Keep one row per converted scan: who, when, label, age (top-coded), sex, MMSE, site, and by which rule.

    After these the numbers that the study's configuration names (study.columns.further).
    """
    columns = [*_WHO, *SCAN_COLUMNS]
    # Nothing else: the path of a scan need not even be text.
    visits = [visit for visit in plan.inventory.visits if visit.key in scans]
    table = pd.DataFrame([[getattr(visit, name) for name in columns] for visit in visits], columns=columns)
    further = pd.DataFrame([dict(visit.further) for visit in visits], index=table.index, dtype=float)
    return table.assign(age=table["age"].clip(upper=HIGHEST_AGE), **further)


def describe_clinical_visits(inventory: Inventory) -> pd.DataFrame:
    """Keep one row per clinical visit that the source knows, scanned or not."""
    return pd.DataFrame(inventory.clinical, columns=list(ClinicalVisit._fields))


def describe_bids_folder(study: StudyConfig, participants: pd.DataFrame) -> FolderDescription:
    """Say what the BIDS folder holds and who is in it."""
    return FolderDescription(f"{study.name}: T1w scans as delivered", participants)


def validate_bids_folder(folder: Path) -> pd.DataFrame:
    """List what the BIDS validator finds; errors first."""
    return pd.DataFrame(validate_bids(folder), columns=list(Issue._fields))


def _rows(rejections: list[Rejection]) -> list[dict[str, str]]:
    return [rejection._asdict() for rejection in rejections]
