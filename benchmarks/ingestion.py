"""DICOM files to BIDS at scale: files per second, memory against the number of subjects, what dcm2niix takes, workers.

`python -m benchmarks ingestion` compares 100 with 400 subjects of 200 files (--quick: 25 with 100).
`python -m benchmarks.ingestion --subjects 2000` runs one size, 400 000 files, and prints its figures.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from benchmarks.outcome import QUICK, Effort, Outcome
from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.imaging.phantom.delivery.dicom import Series, series_files
from cohortsmith.imaging.sources import convert_visit, dicom_conversion
from cohortsmith.imaging.volume import Volume
from cohortsmith.pipelines.ingest import nodes

IMAGES = {"t1_mprage": 160, "t2_tse": 40}  # 200 files per subject
SIDE = 32
SAMPLE = 20
SIZES = {True: (25, 100), False: (100, 400)}
MB = 10**6


def run(effort: Effort) -> Iterator[Outcome]:
    small, large = SIZES[effort == QUICK]
    with tempfile.TemporaryDirectory(prefix="cohortsmith-ingestion-") as scratch:
        for subjects in (small, large):
            deliver(Path(scratch, str(subjects)), subjects)
        few, many, alone = (
            _measured(Path(scratch, str(subjects)), workers)
            for subjects, workers in ((small, 2), (large, 2), (small, 1))
        )
    labels = {few["subjects"]: few, many["subjects"]: many}
    memory = {f"peak at {n} subjects": f"{found['peak'] / MB:.0f} MB" for n, found in labels.items()}
    memory["largest worker"] = f"{many['worker_peak'] / MB:.0f} MB"
    yield Outcome("ingestion_memory_flat", few["peak"] / many["peak"], 0.9, memory)
    yield Outcome("ingestion_files_per_second", many["files"] / many["seconds"], 300, _figures(many))
    scaling = {name: f"{alone[name] / few[name]:.2f} x" for name in ("survey", "compare", "convert")}
    yield Outcome("ingestion_two_workers", alone["seconds"] / few["seconds"], 1.5, scaling)


def _figures(found: dict[str, float]) -> dict[str, str]:
    parts = {name: f"{found[name]:.1f} s" for name in ("survey", "compare", "convert")}
    hashed = f"{found['bytes'] / MB / found['compare']:.0f} MB/s"
    return {**parts, "hashed at": hashed, "of a conversion in dcm2niix": f"{100 * found['inside']:.0f} %"}


def deliver(root: Path, subjects: int) -> None:
    """Write the files; all subjects have the same voxels and headers of their own."""
    template = _template()
    for number in range(subjects):
        folder = root / f"P{number:06d}"
        folder.mkdir(parents=True)
        for place, content in enumerate(template):
            (folder / f"IM{place:04d}").write_bytes(content.replace(b"000000", b"%06d" % number))


def _template() -> list[bytes]:
    """Give the files of one subject whose every identifier holds six zeros."""
    contents = []
    for number, (description, images) in enumerate(IMAGES.items(), 1):
        voxels = np.random.default_rng(number).integers(1, 255, (SIDE, SIDE, images)).astype(np.float32)
        series = Series("P000000", datetime(2020, 1, 1), number, description)
        contents += [
            _identified(content, number, image)
            for image, content in enumerate(series_files(series, Volume(voxels, np.eye(4))))
        ]
    return contents


def _identified(content: bytes, series: int, image: int) -> bytes:

    header = pydicom.dcmread(BytesIO(content))
    header.StudyInstanceUID = header.FrameOfReferenceUID = "1.2.826.1.1000000.1"
    header.SeriesInstanceUID = f"1.2.826.1.1000000.2.{series}"
    header.SOPInstanceUID = f"1.2.826.1.1000000.3.{series}.{image}"
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    target = BytesIO()
    header.save_as(target, enforce_file_format=True)
    return target.getvalue()


def _measured(root: Path, workers: int) -> dict[str, Any]:
    """Ingest in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "benchmarks.ingestion", "--delivered", str(root), "--workers", str(workers)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(told.splitlines()[-1]))


def ingest(root: Path, workers: int) -> dict[str, float]:
    """Run the nodes of the ingest as Kedro does, each scan written at once; give seconds, bytes and counts."""

    study = StudyConfig(name="bench", source="dicom", path=str(root), labels=("CN", "AD"))
    execution, role = ExecutionConfig(workers=workers), "training"
    with tempfile.TemporaryDirectory(prefix="cohortsmith-bids-") as home:
        target = RecordFolder(filepath=home, name="<subject>/<session>/anat/<key>_T1w")
        clock = [time.perf_counter()]
        inventory = nodes.list_visits(study, execution, role=role)
        clock.append(time.perf_counter())
        plan = nodes.plan_ingest(inventory, {}, None, study, IngestConfig(), execution, role=role)
        clock.append(time.perf_counter())
        rejections: list[dict[str, str]] = []
        for items, rejections in nodes.convert_scans(plan, {}, execution, role=role):  # noqa: B007 - the last ones
            target.save(items)
        clock.append(time.perf_counter())
        ledger, _ = nodes.write_ledger(plan, target.load(), rejections, IngestConfig(), role=role)
    assert (ledger["decision"] == "convert").sum() == len(inventory.visits)
    survey, compare, convert = np.diff(clock)
    visits = inventory.visits
    return {
        "subjects": len(visits),
        "files": len(visits) * sum(IMAGES.values()),
        "bytes": sum(file.stat().st_size for visit in visits for file in (root / visit.folders[0]).iterdir()),
        "survey": survey,
        "compare": compare,
        "convert": convert,
        "seconds": survey + compare + convert,
        "peak": _own_peak(),
        "worker_peak": 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
        "inside": _share_of_dcm2niix(visits[:SAMPLE]),
    }


def _own_peak() -> int:
    # Not ru_maxrss: it starts from the peak of the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _share_of_dcm2niix(visits: Any) -> float:
    """Convert a few visits here; give the share of the time that dcm2niix takes."""

    inside, original = [0.0], dicom_conversion._run_dcm2niix

    def timed(*arguments: Any) -> Path:
        began = time.perf_counter()
        try:
            return original(*arguments)
        finally:
            inside[0] += time.perf_counter() - began

    dicom_conversion._run_dcm2niix = timed
    began = time.perf_counter()
    for visit in visits:
        convert_visit(visit)
    dicom_conversion._run_dcm2niix = original
    return inside[0] / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.ingestion", description=__doc__)
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0, help="0: one per core")
    parser.add_argument("--delivered", type=Path, help="a folder that was written before")
    arguments = parser.parse_args()
    if arguments.delivered:
        print(json.dumps(ingest(arguments.delivered, arguments.workers)))
        return
    with tempfile.TemporaryDirectory(prefix="cohortsmith-ingestion-") as scratch:
        deliver(Path(scratch), arguments.subjects)
        print(json.dumps(ingest(Path(scratch), arguments.workers), indent=2))


if __name__ == "__main__":
    main()
