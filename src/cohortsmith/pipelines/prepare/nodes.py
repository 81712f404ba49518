"""N4, registration to MNI, crop, down-sampling and intensity, scan by scan; then keep, drop or look."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from cohortsmith.config.preparation import PreparationConfig, decisions_path
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.bids_tables import SCAN_COLUMNS, FolderDescription
from cohortsmith.imaging.decisions import DROP, Decision, decide, quality_table, read_decisions
from cohortsmith.imaging.preparation_files import prepare_file
from cohortsmith.imaging.stored import Stored
from cohortsmith.records import Rejection

from .plan import Plan, describe_plan, make_plan

log = logging.getLogger(__name__)
TITLES = {"volume": "N4 and registration", "slices": "down-sampling"}
# Measured with everything kept: libraries and template (GB); bytes per voxel of the scan, and of the crop box.
_BASE_GB, _PER_SCAN_VOXEL, _PER_BOX_VOXEL = 0.6, 25, 90
_BRAIN_EXTRACTION_GB = 1.0  # the network's own 256^3 grid, whatever the scan's
_BOX_MM3 = 169 * 208 * 179


def collect_decisions(
    scans: dict[str, Stored], beside: pd.DataFrame | None, preparation: PreparationConfig, *, role: str
) -> dict[str, Decision]:
    """Read what a person decided on this role's scans: the configured table, or the one beside the results."""
    path = decisions_path(preparation, role)
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False) if path else beside
    persons = read_decisions(table, scans)
    for warning in persons.warnings:
        log.warning("%s: %s", role, warning)
    if persons.of_scans:
        dropped = sum(one.decision == DROP for one in persons.of_scans.values())
        log.info("%s: a person dropped %d scans and kept %d", role, dropped, len(persons.of_scans) - dropped)
    return persons.of_scans


def plan_preparation(
    scans: dict[str, Stored],
    done: dict[str, Stored],
    decisions: dict[str, Decision],
    preparation: PreparationConfig,
    *,
    role: str,
) -> tuple[Plan, dict[str, Any]]:
    """Decide which scans are prepared and which results are reused, and say why."""
    plan = make_plan(scans, done, decisions, preparation)
    log.info(describe_plan(plan, role))
    return plan, plan.summary()


def prepare_scans(
    plan: Plan,
    scans: dict[str, Stored],
    preparation: PreparationConfig,
    execution: ExecutionConfig,
    *,
    role: str,
    prepare: Callable[[str, str, PreparationConfig], Stored] | None = None,
) -> Iterator[tuple[dict[str, Stored | None], list[dict[str, str]]]]:
    """Prepare each planned scan and save it the moment it is done; set aside, with its reason, what cannot be."""
    todo = {key: (key, scans[key].path, preparation) for key in plan.causes}
    rejections = [Rejection(key, "prepare", one.reason, rule="person.drop") for key, one in plan.dropped.items()]
    yield dict.fromkeys(plan.gone), _rows(rejections)
    outcomes = run_items(
        prepare or prepare_file,
        todo,
        title=f"{role}: {TITLES[preparation.kind]}",
        execution=execution,
        memory_gb=memory_needed_gb([path for _, path, _ in todo.values()], preparation),
    )
    for outcome in outcomes:
        if outcome.error:
            rejections.append(Rejection(outcome.key, "prepare", str(outcome.error), rule="prepare.impossible"))
            yield {outcome.key: None}, _rows(rejections)
        else:
            origin = plan.origins[outcome.key]
            record = {**outcome.value.record, "MadeFrom": origin, "Fingerprint": fingerprint("prepare", origin)}
            yield {outcome.key: outcome.value._replace(record=record)}, _rows(rejections)


def memory_needed_gb(paths: list[str], preparation: PreparationConfig) -> float:
    """Estimate what a worker needs at most for the largest of these scans, by its number of voxels."""
    if preparation.kind == "slices" or not paths:
        return 0.0
    box = _BOX_MM3 / preparation.resolution**3
    base = _BASE_GB + preparation.brain_extraction * _BRAIN_EXTRACTION_GB
    return base + (_PER_SCAN_VOXEL * max(map(_voxels, paths)) + _PER_BOX_VOXEL * box) / 2**30


def _voxels(path: str) -> int:
    try:
        return int(np.prod(nib.load(Path(path)).shape))
    except Exception:  # whatever is wrong with a file, its worker will say it
        return 0


def decide_scans(
    candidates: dict[str, Stored], decisions: dict[str, Decision], preparation: PreparationConfig, *, role: str
) -> tuple[pd.DataFrame, dict[str, Stored], list[dict[str, str]]]:
    """Decide on every prepared scan: a table of numbers, decisions and reasons, the scans kept, and those dropped."""
    cohort = {key: scan.record["Quality"] for key, scan in candidates.items()}
    made = decide(cohort, preparation.minimum_correlation, decisions)
    unprepared = {key: one for key, one in decisions.items() if key not in cohort and one.decision == DROP}
    table = quality_table(cohort, made, unprepared)
    counts = ", ".join(f"{count} {word}" for word, count in table["decision"].value_counts().items())
    log.info("%s scans: %s", role, counts or "none")
    kept = {key: scan for key, scan in candidates.items() if made[key].decision != DROP}
    dropped = [
        Rejection(key, "quality", one.reason, rule=f"{one.by}.drop") for key, one in made.items() if key not in kept
    ]
    return table, kept, _rows(dropped)


def describe_prepared_folder(
    study: StudyConfig, participants: pd.DataFrame, candidates: dict[str, Stored], *, role: str
) -> FolderDescription:
    """Say what the folder of prepared scans holds, who is in it, and where `bids:raw:` leads."""
    raw = f"../../../02_intermediate/{study.name}/{role}/bids"
    return FolderDescription(
        f"{study.name}: prepared T1w scans",
        participants[participants["key"].isin(candidates)].drop(columns=list(SCAN_COLUMNS), errors="ignore"),
        derivative=True,
        description="Bias correction, registration to MNI152, crop, down-sampling and scaling of T1w scans.",
        sources=(raw,),
        links={"raw": raw},
        ignored=("*_xfm.txt", "*rejections.json", "kept.json", "plan.json", "quality.tsv", "decisions.tsv"),
    )


def _rows(rejections: list[Rejection]) -> list[dict[str, str]]:
    return [rejection._asdict() for rejection in rejections]
