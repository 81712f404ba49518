"""`kedro run` with the settings of the ingest: what is only looked at leaves no trace, what may not be is refused."""

import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
KEDRO = Path(sys.executable).with_name("kedro")


@pytest.fixture
def study(tmp_path: Path) -> str:
    """Settings of a study of one scan whose table has no sessions."""
    folder = tmp_path / "in"
    folder.mkdir()
    data = np.random.default_rng(0).integers(0, 900, (18, 20, 22)).astype(np.int16)
    nib.save(nib.Nifti1Image(data, np.eye(4)), folder / "A.nii")
    (folder / "t.tsv").write_text("participant_id\tsession_id\tdiagnosis\tage\tsex\nA\t\tCN\t70\tF\nB\t\tAD\t71\tM\n")
    return f"study.source=nifti,study.path={folder},study.table=t.tsv"


def run(home: Path, *settings: str, pipeline: str = "ingest") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KEDRO, "run", "--env", "dicom", "--pipelines", pipeline, "--params", ",".join(settings)],
        cwd=ROOT,
        env={**os.environ, "COHORTSMITH_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", ["ingest", "__default__"])
def test_a_dry_run_prints_the_ledger_and_leaves_nothing(tmp_path, study, pipeline):
    home = tmp_path / "home"
    home.mkdir()

    finished = run(home, study, "ingest.dry_run=true", pipeline=pipeline)

    assert finished.returncode == 0, finished.stderr[-3000:]
    for expected in ("sub-A_ses-01", "convert", "files.missing", "new", "nothing was written"):
        assert expected in finished.stdout
    assert list(home.rglob("*")) == []


@pytest.mark.slow
def test_a_pseudonym_map_among_the_results_is_refused_before_anything_starts(tmp_path, study):
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)

    finished = run(home, study, f"ingest.pseudonym_map={home}/data/map.tsv")

    assert finished.returncode == 2 and "the pseudonym map cannot lie there" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert list(home.rglob("*")) == [home / "data"]
