"""Turn whatever was delivered into BIDS; set aside, with its reason, whatever cannot be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import fingerprint, tree_fingerprint
from cohortsmith.imaging.bids_tables import FolderDescription
from cohortsmith.imaging.bids_validation import Issue, validate_bids
from cohortsmith.imaging.sources import Inventory, Visit, convert_visit, read_source
from cohortsmith.imaging.stored import Stored
from cohortsmith.records import Rejection


def list_visits(study: StudyConfig, delivered: Any = None, *, role: str) -> Inventory:
    """List the scans that the study offers. `delivered` only orders this node after a simulated delivery."""
    return read_source(study, external=role == "external")


def convert_scans(
    inventory: Inventory, done: dict[str, Stored], execution: ExecutionConfig, *, role: str
) -> Iterator[tuple[dict[str, Stored | None], list[dict[str, str]]]]:
    """Write each visit's scan into BIDS at once, unless the same content was converted before."""
    marks = {
        visit.key: fingerprint("ingest", visit.series, tree_fingerprint(visit.source)) for visit in inventory.visits
    }
    todo = {
        visit.key: (visit,)
        for visit in inventory.visits
        if visit.key not in done or done[visit.key].record.get("Fingerprint") != marks[visit.key]
    }
    rejections = list(inventory.rejections)
    yield {key: None for key in done if key not in marks}, _rows(rejections)
    for outcome in run_items(convert_one, todo, workers=execution.workers, title=f"convert {role} scans to BIDS"):
        if outcome.error:
            rejections.append(Rejection(outcome.key, "ingest", str(outcome.error)))
            yield {outcome.key: None}, _rows(rejections)
        else:
            record = {**outcome.value.record, "Fingerprint": marks[outcome.key]}
            yield {outcome.key: outcome.value._replace(record=record)}, _rows(rejections)


def convert_one(visit: Visit) -> Stored:
    """Convert one visit in a worker process."""
    converted = convert_visit(visit)
    return Stored(dict(converted.sidecar), converted.volume)


def describe_participants(inventory: Inventory, scans: dict[str, Stored]) -> pd.DataFrame:
    """Keep one row per converted scan: who, when, label, age, sex, MMSE, site."""
    rows = [visit._asdict() for visit in inventory.visits if visit.key in scans]
    columns = ["key", "participant_id", "session_id", "diagnosis", "age", "sex", "mmse", "site"]
    return pd.DataFrame(rows, columns=[*columns, "source"])[columns]


def describe_bids_folder(study: StudyConfig, participants: pd.DataFrame) -> FolderDescription:
    """Say what the BIDS folder holds and who is in it."""
    return FolderDescription(f"{study.name}: T1w scans as delivered", participants)


def validate_bids_folder(folder: Path) -> pd.DataFrame:
    """List what the BIDS validator finds; errors first."""
    return pd.DataFrame(validate_bids(folder), columns=list(Issue._fields))


def _rows(rejections: list[Rejection]) -> list[dict[str, str]]:
    return [rejection._asdict() for rejection in rejections]
