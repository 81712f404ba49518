import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortsmith.errors import CohortsmithError
from cohortsmith.imaging.bids import write_dataset_description, write_derivative_scan, write_raw_scan
from cohortsmith.imaging.bids_tables import write_participants
from cohortsmith.imaging.bids_validation import Issue, validate_bids
from cohortsmith.imaging.volume import Volume

SCAN = {"participant_id": "sub-1", "session_id": "ses-01", "diagnosis": "CN", "age": 70.5, "sex": "F", "site": "n/a"}


@pytest.fixture
def dataset(tmp_path: Path, volume: Volume) -> Path:
    write_dataset_description(tmp_path, "test")
    write_raw_scan(tmp_path, "sub-1_ses-01", volume, {"EchoTime": 0.003})
    write_participants(tmp_path, pd.DataFrame([SCAN]))
    return tmp_path


def errors(root: Path) -> list[Issue]:
    return [issue for issue in validate_bids(root) if issue.severity == "error"]


def test_what_we_write_is_valid(dataset: Path) -> None:
    assert errors(dataset) == []


def test_days_rules_and_top_coded_ages_are_valid(dataset: Path) -> None:
    scan = SCAN | {"key": "sub-1_ses-01", "day": 0, "rule": "adni.n3", "age": 90.0}
    write_participants(dataset, pd.DataFrame([scan]))
    assert (dataset / "sub-1" / "ses-01" / "sub-1_ses-01_scans.tsv").is_file()
    assert errors(dataset) == []


def test_a_slice_is_valid(dataset: Path, rng: np.random.Generator) -> None:
    write_raw_scan(dataset, "sub-1_ses-01", Volume(rng.random((20, 30, 1), dtype=np.float32), np.eye(4)))
    assert errors(dataset) == []


def test_a_derivative_is_valid(tmp_path: Path, volume: Volume) -> None:
    write_dataset_description(tmp_path, "derived", derivative=True, description="N4", sources=("../bids",))
    place = {"space": "MNI152NLin2009aSym", "description": "prepared"}
    write_derivative_scan(tmp_path, "sub-1_ses-01", volume, **place, sidecar={"SkullStripped": False})
    write_participants(tmp_path, pd.DataFrame([SCAN]))
    assert errors(tmp_path) == []


def test_warnings_are_told_from_errors_and_come_after(dataset: Path) -> None:
    (dataset / "sub-1" / "ses-01" / "anat" / "notes.doc").write_text("x")
    issues = validate_bids(dataset)
    severities = [issue.severity for issue in issues]
    assert severities == sorted(severities) and set(severities) == {"error", "warning"}
    assert "notes.doc" in issues[0].location and issues[0].code and issues[0].message


def test_a_wrong_value_is_an_error(dataset: Path) -> None:
    write_participants(dataset, pd.DataFrame([SCAN | {"age": "old"}]))
    assert any("age" in issue.message for issue in errors(dataset))


def test_the_validator_may_not_use_the_network(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def listening(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 0, b'{"issues": {"issues": []}}', b"")

    monkeypatch.setattr(subprocess, "run", listening)
    assert validate_bids(dataset) == []
    assert "--no-remote" in seen[0]
    assert not [argument for argument in seen[0] if argument.startswith(("--allow-net", "--allow-all", "-A"))]


def test_a_validator_that_does_not_answer_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1, b"", b"boom")

    monkeypatch.setattr(subprocess, "run", silent)
    with pytest.raises(CohortsmithError, match="did not answer"):
        validate_bids(tmp_path)
