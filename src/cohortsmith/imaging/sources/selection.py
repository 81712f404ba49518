"""Which of the scans that could be converted the study wants: applied once, after any reader."""

from collections.abc import Sequence
from math import inf

from cohortsmith.config.ingest import IngestConfig
from cohortsmith.imaging.bids import entities
from cohortsmith.imaging.sources.field_map import known_diagnoses
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.records import Rejection

_STEP, _LATER = "ingest", "ingest.later_session"


def select(inventory: Inventory, ingest: IngestConfig, labels: Sequence[str]) -> Inventory:
    """Turn visits that the configuration does not want into rejections.

    labels: the study's; without any, no diagnosis is known and none is asked for.
    """
    chosen = _with_label(inventory, labels) if labels and ingest.diagnoses == "labels" else inventory
    return _first_sessions(chosen) if ingest.sessions == "first" else chosen


def _with_label(inventory: Inventory, labels: Sequence[str]) -> Inventory:
    refused = {
        visit.key: _refuse(visit, *_why(visit, labels)) for visit in inventory.visits if visit.diagnosis not in labels
    }
    return _without(inventory, refused)


def _why(visit: Visit, labels: Sequence[str]) -> tuple[str, str]:
    if visit.diagnosis == "n/a":
        return "table.unknown_diagnosis", "the diagnosis at this visit is not known"
    # What is no word of the archives may be free text, with anything in it.
    said = f"diagnosis {visit.diagnosis}" if visit.diagnosis in known_diagnoses() else "another diagnosis: it"
    return "table.other_diagnosis", f"{said} is not one of {', '.join(labels)}"


def _first_sessions(inventory: Inventory) -> Inventory:
    ordered = sorted(inventory.visits, key=lambda visit: (inf if visit.day is None else visit.day, visit.session_id))
    first: dict[str, Visit] = {}
    for visit in ordered:
        first.setdefault(visit.participant_id, visit)
    refused = {
        visit.key: _refuse(visit, _LATER, f"{first[visit.participant_id].session_id} comes before it")
        for visit in ordered
        if visit is not first[visit.participant_id]
    }
    return _without(inventory, refused)


def subjects_with_later_sessions(inventory: Inventory) -> frozenset[str]:
    """Name the subjects of whom later sessions were left for the first one."""
    return frozenset(entities(one.key).subject for one in inventory.rejections if one.rule == _LATER)


def say_first_is_lost(refused: Rejection, subjects: frozenset[str]) -> Rejection:
    """Add to the reason, where the scan is of a first session, that no later one takes its place."""
    if entities(refused.key).subject not in subjects:
        return refused
    return refused._replace(reason=f"{refused.reason}; no later session takes its place (ingest.sessions: first)")


def _refuse(visit: Visit, rule: str, reason: str) -> Rejection:
    return Rejection(visit.key, _STEP, reason, visit.candidate, rule)


def _without(inventory: Inventory, refused: dict[str, Rejection]) -> Inventory:
    visits = tuple(visit for visit in inventory.visits if visit.key not in refused)
    rejections = sorted([*inventory.rejections, *refused.values()], key=lambda one: (one.key, one.candidate))
    return inventory._replace(visits=visits, rejections=tuple(rejections))
