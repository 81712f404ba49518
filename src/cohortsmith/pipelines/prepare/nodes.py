"""N4, registration to MNI, crop, down-sampling and intensity, scan by scan; then the quality of the cohort."""

from collections.abc import Iterator
from typing import Any

from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.preparation import prepare_scan
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.volume import read_volume
from cohortsmith.records import Rejection

TITLES = {"volume": "N4 and registration", "slices": "down-sampling"}


def prepare_scans(
    scans: dict[str, Stored],
    done: dict[str, Stored],
    preparation: PreparationConfig,
    execution: ExecutionConfig,
    *,
    role: str,
) -> Iterator[tuple[dict[str, Stored | None], list[dict[str, str]]]]:
    """Prepare each scan whose result is missing or out of date; save it the moment it is done."""
    marks = {key: fingerprint("prepare", scan.record["Fingerprint"], preparation) for key, scan in scans.items()}
    todo = {
        key: (key, scan.path, preparation)
        for key, scan in scans.items()
        if key not in done or done[key].record.get("Fingerprint") != marks[key]
    }
    rejections: list[Rejection] = []
    yield {key: None for key in done if key not in marks}, []
    for outcome in run_items(prepare_one, todo, workers=execution.workers, title=f"{role}: {TITLES[preparation.kind]}"):
        if outcome.error:
            rejections.append(Rejection(outcome.key, "prepare", str(outcome.error)))
            yield {outcome.key: None}, [rejection._asdict() for rejection in rejections]
        else:
            record = {**outcome.value.record, "Fingerprint": marks[outcome.key]}
            yield {outcome.key: outcome.value._replace(record=record)}, [r._asdict() for r in rejections]


def prepare_one(key: str, path: str, preparation: PreparationConfig) -> Stored:
    """Prepare one scan in a worker process."""
    minimum_slices = 1 if preparation.kind == "slices" else 16
    prepared = prepare_scan(read_volume(path, key, minimum_slices), preparation, key)
    record: dict[str, Any] = {
        "Quality": prepared.quality,
        "Seconds": prepared.seconds,
        "Transform": prepared.transform.tolist(),
    }
    return Stored(record, prepared.volume)
