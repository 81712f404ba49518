"""The whole chain, in miniature, as its user runs it: in a process of its own, from raw scans to the report."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).resolve().parents[1]
KEDRO = Path(sys.executable).with_name("kedro")
LEARN_SLOWLY = (
    *("--env", "smoke", "--pipelines", "learn", "--params"),
    "training.epochs=200,training.patience=200,training.checkpoint_every=1,training.checkpoint_seconds=0",
)

# Python imports sitecustomize at every start: it writes down every name look-up and every connection.
SPY = """
import os, socket
_file = os.environ["COHORTSMITH_SPY"]
def _note(text):
    with open(_file, "a") as stream: stream.write(text + chr(10))
_lookup, _connect = socket.getaddrinfo, socket.socket.connect
def getaddrinfo(host, *rest, **options):
    _note(f"lookup {host}"); return _lookup(host, *rest, **options)
def connect(self, address):
    _note(f"connect {address}"); return _connect(self, address)
socket.getaddrinfo, socket.socket.connect = getaddrinfo, connect
"""


def run_kedro(
    home: Path, *arguments: str, timeout: int = 400, within: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*within, str(KEDRO), "run", *arguments],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def environment(home: Path) -> dict[str, str]:
    spy = home / "spy"
    spy.mkdir(parents=True, exist_ok=True)
    (spy / "sitecustomize.py").write_text(SPY)
    return {
        **os.environ,
        "COHORTSMITH_HOME": str(home),
        "COHORTSMITH_SPY": str(home / "connections.txt"),
        "PYTHONPATH": str(spy),
    }


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    home = tmp_path_factory.mktemp("first")
    finished = run_kedro(home, "--env", "smoke")
    assert finished.returncode == 0, finished.stderr[-3000:]
    return home, finished


def results(home: Path, layer: str) -> Path:
    return home / "data" / layer / "smoke"


def use_prepared_scans(home: Path, other: Path) -> None:
    for layer in ("01_raw", "02_intermediate", "03_primary"):
        (home / "data" / layer).mkdir(parents=True)
        results(home, layer).symlink_to(results(other, layer))


def weights_of(home: Path) -> dict[str, bytes]:
    return {
        label: (results(home, "06_models") / label / "generator.safetensors").read_bytes() for label in ("CN", "AD")
    }


def synthetic_voxels(home: Path, label: str) -> np.ndarray:
    return np.load(results(home, "07_model_output") / label / "synthetic_images.npy")


@pytest.mark.slow
@pytest.mark.ants
class TestOneRun:
    def test_it_says_first_which_study_it_runs(self, first):
        _, finished = first

        assert "embedded phantom study" in finished.stderr.splitlines()[0]

    def test_it_ends_with_a_table_the_report_and_the_command_for_the_ui(self, first):
        home, finished = first

        assert "real+synthetic" in finished.stdout
        assert str(results(home, "08_reporting") / "report.html") in finished.stdout
        assert "kedro ui" in finished.stdout or "make ui" in finished.stdout

    def test_every_long_step_shows_its_progress(self, first):
        _, finished = first

        for step in (
            "simulate training",
            "convert training",
            "N4 and registration",
            "train rhvae",
            "train classifiers",
        ):
            assert re.search(rf"{step}.*\d+ of \d+", finished.stderr), step

    def test_no_connection_leaves_this_machine(self, first):
        home, _ = first
        spied = home / "connections.txt"
        noted = spied.read_text().splitlines() if spied.exists() else []

        assert [
            line for line in noted if not re.search(r"127\.0\.0\.1|localhost|::1|^connect /|^connect b?'/", line)
        ] == []

    def test_the_middle_is_valid_bids(self, first):
        home, _ = first
        issues = pd.read_csv(results(home, "02_intermediate") / "training" / "bids_issues.tsv", sep="\t")

        assert issues[issues["severity"] == "error"].empty

    def test_what_is_planted_in_the_delivery_is_in_the_ledger_with_its_rule(self, first):
        home, _ = first
        ledger = pd.concat(
            pd.read_csv(results(home, "02_intermediate") / role / "ledger.tsv", sep="\t")
            for role in ("training", "external")
        )
        counts = ledger.groupby("decision")["rule"].value_counts()

        assert counts["convert"].to_dict() == {"adni.n3": 24 + 2, "aibl.dated": 8}
        assert counts["reject"].to_dict() == {
            "adni.failed_quality": 3,
            "adni.other_stage": 2,
            "adni.not_on_disk": 2,
            "adni.later_series": 1,
            "adni.other_field_strength": 1,
            "adni.no_subject": 1,
            "table.unknown_diagnosis": 1,
            "aibl.not_on_disk": 2,
            "aibl.no_visit": 1,
        }

    def test_nobody_planted_in_the_delivery_is_in_the_cohort(self, first):
        home, _ = first
        splits = pd.read_csv(results(home, "04_feature") / "splits.tsv", sep="\t")

        assert splits["participant_id"].nunique() == 24 + 8
        assert [one for one in splits["participant_id"] if "909S99" in one] == []

    def test_synthetic_scans_say_everywhere_that_they_are_synthetic(self, first):
        home, _ = first
        folder = results(home, "07_model_output") / "AD" / "bids"
        scan = sorted(folder.rglob("*.nii.gz"))[0]
        record = json.loads(scan.with_name(scan.name.replace(".nii.gz", ".json")).read_text())

        assert "desc-synthetic" in scan.name
        assert b"SYNTHETIC" in nib.load(scan).header["descrip"].item()
        assert record["Synthetic"] is True
        assert {"Model", "Seed", "Latent"} <= set(record)
        description = json.loads((folder / "dataset_description.json").read_text())
        assert description["GeneratedBy"][0]["Name"] == "cohortsmith"

    def test_no_name_or_record_of_a_synthetic_scan_holds_a_source_subject(self, first):
        home, _ = first
        splits = pd.read_csv(results(home, "04_feature") / "splits.tsv", sep="\t")
        folder = results(home, "07_model_output") / "AD" / "bids"
        text = " ".join(f"{path.name} {path.read_text()}" for path in folder.rglob("*.json"))

        assert [subject for subject in splits["participant_id"] if subject in text] == []

    def test_mlflow_holds_one_parent_with_its_children(self, first):
        home, _ = first
        client = MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
        experiments = [one.experiment_id for one in client.search_experiments() if one.name == "smoke"]
        runs = client.search_runs(experiments, max_results=1000)
        parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]

        assert [run.info.status for run in parents] == ["FINISHED"]
        assert len([run for run in children if run.data.params["kind"] == "generator"]) == 2
        assert len([run for run in children if run.data.params["kind"] == "classifier"]) == 5 * 2
        assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}

    def test_no_path_of_this_machine_is_published(self, first):
        home, _ = first
        client = MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
        experiments = [one.experiment_id for one in client.search_experiments() if one.name == "smoke"]
        runs = client.search_runs(experiments, max_results=1000)
        published = [str({**run.data.tags, **run.data.params}) for run in runs]

        assert [text for text in published if str(ROOT) in text or str(home) in text] == []

    def test_the_report_needs_no_network(self, first):
        home, _ = first
        report = (results(home, "08_reporting") / "report.html").read_text()

        assert not re.search(r"(src|href)=[\"']https?://[^\"']*\.(js|css|png|woff)", report)
        assert "phantom" in report


@pytest.mark.slow
@pytest.mark.ants
class TestAnotherRun:
    def test_the_same_command_reuses_everything(self, first):
        home, _ = first
        started = time.time()

        again = run_kedro(home, "--env", "smoke")

        assert again.returncode == 0, again.stderr[-3000:]
        touched = [path for path in home.rglob("*.nii.gz") if path.stat().st_mtime > started]
        assert touched == []
        assert "train classifiers" not in again.stderr

    def test_the_same_seed_gives_the_same_voxels_and_scores_and_a_killed_run_goes_on(self, first, tmp_path):
        home, _ = first
        killed = subprocess.Popen(
            [str(KEDRO), "run", "--env", "smoke"], cwd=ROOT, env=environment(tmp_path), stderr=subprocess.DEVNULL
        )
        wait_for(lambda: len(list(tmp_path.rglob("*_desc-prepared_T1w.json"))) >= 3)
        killed.send_signal(signal.SIGKILL)
        killed.wait()

        finished = run_kedro(tmp_path, "--env", "smoke")

        assert finished.returncode == 0, finished.stderr[-3000:]
        for label in ("CN", "AD"):
            np.testing.assert_array_equal(synthetic_voxels(tmp_path, label), synthetic_voxels(home, label))
        predictions = [results(place, "07_model_output") / "predictions.tsv" for place in (tmp_path, home)]
        assert predictions[0].read_text() == predictions[1].read_text()
        client = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
        runs = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=1000)
        parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        assert sorted(run.info.status for run in parents) == ["FINISHED", "KILLED"]

    def test_a_run_killed_within_a_fit_goes_on_to_the_same_weights_bit_for_bit(self, first, tmp_path):
        home, _ = first
        whole, killed = tmp_path / "whole", tmp_path / "killed"
        for place in (whole, killed):
            use_prepared_scans(place, home)
        finished = run_kedro(whole, *LEARN_SLOWLY)
        assert finished.returncode == 0, finished.stderr[-3000:]

        process = subprocess.Popen(
            [str(KEDRO), "run", *LEARN_SLOWLY], cwd=ROOT, env=environment(killed), stderr=subprocess.DEVNULL
        )
        wait_for(lambda: list(killed.rglob("training/training.safetensors")))
        process.send_signal(signal.SIGKILL)
        process.wait()
        (checkpoint,) = killed.rglob("training/training.safetensors")
        assert not checkpoint.parents[1].joinpath("generator.safetensors").exists()
        again = run_kedro(killed, *LEARN_SLOWLY)

        assert again.returncode == 0, again.stderr[-3000:]
        assert "training goes on after epoch" in again.stderr
        assert weights_of(killed) == weights_of(whole)
        assert not checkpoint.parent.exists()

    def test_another_seed_gives_other_voxels_also_without_any_network(self, first, tmp_path):
        home, _ = first
        cut_off = ("unshare", "--net", "--map-root-user")
        allowed = subprocess.run([*cut_off, "true"], capture_output=True, check=False).returncode == 0
        assert allowed or os.environ.get("CI") is None, "this machine cannot cut a process off from the network"
        use_prepared_scans(tmp_path, home)

        finished = run_kedro(tmp_path, "--env", "smoke", "--params", "seed=2", within=cut_off * allowed)

        assert finished.returncode == 0, finished.stderr[-3000:]
        assert not np.array_equal(synthetic_voxels(tmp_path, "AD"), synthetic_voxels(home, "AD"))


class TestWrongConfiguration:
    def test_a_missing_folder_stops_at_once_with_one_message(self, tmp_path):
        finished = run_kedro(tmp_path, "--env", "bids", "--params", f"study.path={tmp_path}/nowhere", timeout=60)

        assert finished.returncode == 2
        assert "the study's folder is not there" in finished.stderr
        assert "Traceback" not in finished.stderr
        assert not (tmp_path / "mlruns").exists()

    def test_a_typo_names_the_allowed_keys(self, tmp_path):
        finished = run_kedro(tmp_path, "--env", "smoke", "--params", "generator.latent_dims=3", timeout=60)

        assert finished.returncode == 2
        assert "did you mean 'latent_dim'" in finished.stderr
        assert "Traceback" not in finished.stderr


def wait_for(condition, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.real_data
def test_no_patient_survives_in_what_a_dicom_series_becomes(shared, tmp_path):
    """The header's name, id and birth date are in no file, log, tag or report afterwards."""
    with tarfile.open(shared / "data" / "dicom_t1w.tar.xz") as archive:
        member = next(one for one in archive if one.isfile())
        header = pydicom.dcmread(archive.extractfile(member), stop_before_pixels=True)
    name, number, born = (str(header[tag].value) for tag in ("PatientName", "PatientID", "PatientBirthDate"))
    # The id is two digits long: alone it is in every file, so it is looked for where an id would stand.
    secrets = [name, *name.split("_"), born, f"{born[:4]}-{born[4:6]}-{born[6:]}", f"sub-{number}", f'"{number}"']
    assert min(map(len, secrets)) >= 3, "the series holds no identity: nothing to look for"

    finished = run_kedro(tmp_path, "--env", "dicom", "--pipelines", "ingest")

    assert finished.returncode == 0, finished.stderr[-3000:]
    written = {str(path): read_plainly(path) for path in tmp_path.rglob("*") if path.is_file()}
    written |= {"log": (finished.stdout + finished.stderr).encode()}
    assert any(path.endswith("_T1w.nii.gz") for path in written)
    found = [(path, secret) for path, text in written.items() for secret in secrets if secret.encode() in text]
    assert found == []
    assert [path for path in written if any(secret in path.removeprefix(str(tmp_path)) for secret in secrets)] == []


def read_plainly(path: Path) -> bytes:
    """Read a file as it is, or as what it was before compression."""
    content = path.read_bytes()
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
