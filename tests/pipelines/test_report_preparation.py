"""What the quality page is told: every prepared scan of every role, its decision, and who made it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.imaging.decisions import Decision, decide, quality_table
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.volume import Volume, write_volume
from cohortsmith.pipelines.report.nodes import count_scans, gather_preparation
from cohortsmith.records import Rejection
from cohortsmith.reporting.content import Preparation, PreparedScan, ReportContent, RunFacts

SLICES = PreparationConfig(kind="slices")
ROLES = ("training", "external")


@pytest.fixture
def scans(tmp_path: Path, rng: np.random.Generator) -> dict[str, Stored]:
    path = tmp_path / "a.nii.gz"
    write_volume(path, Volume(rng.random((8, 9, 1), dtype=np.float32), np.eye(4)), "")
    return {f"sub-{number}_ses-1": Stored({"Quality": {}}, path=str(path)) for number in range(3)}


def table(scans: dict[str, Stored], persons: dict[str, Decision]) -> pd.DataFrame:
    cohort: dict[str, dict[str, float]] = {key: {} for key in scans}
    unprepared = {"sub-9_ses-1": Decision("drop", "never prepared", "person")}
    return quality_table(cohort, decide(cohort, 0.5, persons), unprepared)


def test_every_prepared_scan_of_every_role_is_shown_with_its_decision(scans):
    persons = {
        "sub-1_ses-1": Decision("drop", "motion", "person"),
        "sub-2_ses-1": Decision("keep", "looks fine", "person"),
    }

    shown = gather_preparation(SLICES, scans, scans, table(scans, persons), table(scans, {}), roles=ROLES).scans

    told = {(one.role, one.key): (one.decision, one.flag, one.note) for one in shown}
    assert len(told) == 6
    assert told["training", "sub-1_ses-1"] == ("drop", "motion", "drop was decided by a person: motion")
    assert told["training", "sub-2_ses-1"] == ("keep", "", "keep was decided by a person: looks fine")
    assert told["external", "sub-1_ses-1"] == ("keep", "", "")


def test_scans_used_and_set_aside_are_counted():
    planes = [np.zeros((2, 3))]
    scans = [PreparedScan(str(i), {}, planes, decision=word) for i, word in enumerate(("keep", "look", "drop", "keep"))]
    rejections = [Rejection("a", "ingest", "x"), Rejection("b", "ingest", "x"), Rejection("2", "quality", "y")]
    content = ReportContent(RunFacts("s", "kedro run", 1, {}), rejections=rejections, preparation=Preparation(scans))

    assert count_scans(content) == (
        "3 prepared, 3 set aside (2 in ingest, 1 in quality), 1 to look at on the quality page"
    )
    assert count_scans(ReportContent(RunFacts("s", "kedro run", 1, {}))) == "0 prepared, 0 set aside"
