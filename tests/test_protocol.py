"""The protocol's grid as its user runs it: training sets, doses, networks and folds; killed, looked at, continued."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
KEDRO = Path(sys.executable).with_name("kedro")
ARMS = ["real", "real+classic", "real+oversampling", "synthetic", "real+synthetic", "real+vae-prior", "random-labels"]
N_EARLY = 4 * 7  # trainings of the four arms without synthetic scans: one seed, and two repeats of three folds
N = 15  # subjects of each diagnosis
SHARED = {
    "preparation": {"kind": "slices", "downsample": 1},
    "generator": {"kind": "rhvae", "latent_dim": 2, "network": {"hidden": [8], "metric_hidden": [4]}},
    "training": {"epochs": 4, "warm_up_epochs": 2},
    "sampler": {"n_samples": 6, "n_steps": 8, "n_leapfrog": 2},
    "classifier": {"channels": [2], "strides": [1], "dense": [], "optimizer_steps": 4, "evaluations": 1},
    "execution": {"workers": 2},
}
GRIDS = {
    "grid": {
        "split": {"test": 3, "validation": 2, "train_subsets": [5], "match": []},
        "judge": {
            **{"arms": ARMS, "training_sets": [5, "full"], "nets": ["baseline", "optimised"], "n_seeds": 2},
            **{"n_synthetic": [4, 9], "bootstrap": 100, "reference_columns": ["nWBV", "age"]},
        },
        "random_search": {
            **{"n_architectures": 2, "n_folds": 2, "blocks": [1, 2], "dense_layers": [1, 1]},
            **{"optimizer_steps": 2, "evaluations": 1, "batch_size": 4},
        },
    },
    "folds": {
        "split": {"test": 3, "validation": 2, "folds": 3, "repeats": 2, "fold_subjects": "all", "match": []},
        "judge": {"arms": ARMS, "n_seeds": 1, "n_synthetic": 4, "bootstrap": 100, "reference_columns": ["nWBV"]},
    },
}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of pictures, and a configuration folder with an environment for each grid."""
    folder = tmp_path_factory.mktemp("protocol")
    random, rows = np.random.default_rng(0), []
    (folder / "pictures").mkdir()
    for i in range(2 * N):
        voxels = random.integers(0, 200, (20, 24)).astype(np.uint8)
        voxels[:10] += np.uint8(40 * (i % 2))
        Image.fromarray(voxels).save(folder / "pictures" / f"p{i:02d}.png")
        values = {"age": 60 + i % 20, "sex": "FM"[i % 3 == 0], "nWBV": 0.7 + 0.01 * (i % 2) + 0.001 * (i % 7)}
        rows.append({"participant_id": f"p{i:02d}", "diagnosis": ["CN", "AD"][i % 2], **values})
    pd.DataFrame(rows).to_csv(folder / "pictures" / "participants.tsv", sep="\t", index=False)
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    columns = {"session": "", "further": ["nWBV"]}
    study = {"simulated": False, "source": "slices", "path": str(folder / "pictures"), "table": "participants.tsv"}
    study |= {"labels": ["CN", "AD"], "columns": columns, "external_name": "", "external_path": ""}
    for name, grid in GRIDS.items():
        (folder / "conf" / name).mkdir()
        content = {"study": {"name": name, **study}, **SHARED, **grid}
        (folder / "conf" / name / "parameters.yml").write_text(yaml.safe_dump(content))
    return folder / "conf"


def command(configuration: Path, environment: str, *more: str) -> list[str]:
    return [str(KEDRO), "run", "--conf-source", str(configuration), "--env", environment, *more]


def within(home: Path) -> dict[str, str]:
    return {**os.environ, "COHORTSMITH_HOME": str(home), "OMP_NUM_THREADS": "1"}


def run(words: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        words, cwd=ROOT, env=within(home), capture_output=True, text=True, timeout=600, check=False
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished


def wait_for(folder: Path, n_records: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 400
    while len(list(folder.glob("*.json"))) < n_records:
        assert time.monotonic() < deadline and process.poll() is None, "waited in vain"
        time.sleep(0.2)


def table(home: Path, layer: str, study: str, name: str) -> pd.DataFrame:
    path = home / "data" / layer / study / f"{name}.tsv"
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=["n/a"])


def children(home: Path, kind: str) -> list[dict[str, str]]:
    client = MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=1000)
    return [one.data.params for one in runs if one.data.params.get("kind") == kind]


@pytest.fixture(scope="module")
def grid(configuration, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("grid")
    run(command(configuration, "grid"), home)
    return home


@pytest.fixture(scope="module")
def folds(configuration, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("folds")
    run(command(configuration, "folds"), home)
    return home


@pytest.mark.slow
class TestTrainingSetsDosesAndNetworks:
    def test_every_arm_is_compared_on_every_training_set_with_either_network(self, grid):
        arms = table(grid, "08_reporting", "grid", "arms")
        counts = arms.groupby(["training_set", "net"])["arm"].nunique()

        assert counts.to_dict() == {(s, n): 9 for s in ("train-5", "train-full") for n in ("baseline", "optimised")}
        assert set(arms["n_seeds"]) == {2}
        verdict = json.loads((grid / "data/08_reporting/grid/verdict.json").read_text())
        assert len(verdict["verdicts"]) == 4 * 7

    def test_no_synthetic_image_is_stored_beyond_the_exported_ones(self, grid):
        stacks = {path.parent.name: len(np.load(path, mmap_mode="r")) for path in grid.rglob("synthetic_images.npy")}

        assert stacks == {"CN": 6, "AD": 6}

    def test_the_lineage_names_who_every_generator_saw_and_no_held_out_subject(self, grid):
        lineage, splits = table(grid, "08_reporting", "grid", "lineage"), table(grid, "04_feature", "grid", "splits")
        seen = lineage.groupby(["partition", "origin", "diagnosis"])["participant_id"].nunique()
        side = splits.set_index("participant_id")["split"]

        assert len(seen) == 2 * 2 * 2
        assert seen.loc["train-5"].unique().tolist() == [5]
        assert set(lineage["participant_id"].map(side)) == {"train"}
        record = json.loads(next((grid / "data/07_model_output/grid/AD/bids").rglob("*_T1w.json")).read_text())
        assert record["Model"].split()[-1] in set(lineage["generator"])

    def test_children_of_the_run_say_what_they_are(self, grid):
        trained, searched = children(grid, "classifier"), children(grid, "random-search")

        assert len(trained) == 2 * 2 * 9 * 2 and len(searched) == 2
        assert {one["n_synthetic"] for one in trained if one["arm"].startswith("synthetic")} == {"4", "9"}
        assert {(one["training_set"], one["net"]) for one in trained} == {
            (s, n) for s in ("train-5", "train-full") for n in ("baseline", "optimised")
        }

    def test_reference_lines_stand_beside_the_arms(self, grid):
        lines = table(grid, "08_reporting", "grid", "reference_lines")

        assert set(lines["column"]) == {"nWBV", "age"}
        assert set(lines["training_set"]) == {"train-5", "train-full"}


@pytest.mark.slow
class TestCrossValidation:
    def test_everybody_is_tested_once_in_each_repeat_by_every_arm(self, folds):
        predictions = table(folds, "07_model_output", "folds", "predictions")
        dealt = predictions[predictions["training_set"] == "cross-validation"]

        assert dealt.groupby(["arm", "seed"])["participant_id"].nunique().eq(2 * N).all()
        assert dealt.groupby(["arm", "seed"]).size().eq(2 * N).all()
        assert set(dealt["arm"]) == set(ARMS)

    def test_its_intervals_are_the_wider_of_two(self, folds):
        differences = table(folds, "08_reporting", "folds", "differences")
        dealt = differences[differences["training_set"] == "cross-validation"]
        widths = [dealt[f"{name}high"] - dealt[f"{name}low"] for name in ("", "pooled_", "corrected_")]

        assert len(dealt) == len(ARMS) - 2
        np.testing.assert_allclose(widths[0], np.maximum(widths[1], widths[2]))

    def test_children_name_their_fold(self, folds):
        dealt = [one for one in children(folds, "classifier") if one["training_set"] == "cross-validation"]

        assert {(one["seed"], one["fold"]) for one in dealt} == {(s, f) for s in "01" for f in "012"}

    def test_a_killed_grid_is_looked_at_and_goes_on_to_the_same_results(self, folds, configuration, tmp_path):
        words = command(configuration, "folds")
        process = subprocess.Popen(words, cwd=ROOT, env=within(tmp_path), stderr=subprocess.DEVNULL)
        finished = tmp_path / "data" / "07_model_output" / "folds" / "classifiers"
        wait_for(finished, 4, process)
        process.send_signal(signal.SIGSTOP)
        at_first = run([*words, "--pipelines", "interim"], tmp_path)
        process.send_signal(signal.SIGCONT)
        wait_for(finished, N_EARLY + 6, process)
        later = run([*words, "--pipelines", "interim"], tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        again = run(words, tmp_path)

        assert f"of 49 trainings are finished; {49 - N_EARLY} wait for generators or a search" in at_first.stdout
        assert "random-labels" in at_first.stdout and "synthetic" not in at_first.stdout
        assert "of 49 trainings are finished." in later.stdout
        assert "real+synthetic" in later.stdout
        assert "train generators of all partitions" not in again.stderr
        written = [(place / "data/07_model_output/folds/predictions.tsv").read_text() for place in (tmp_path, folds)]
        assert written[0] == written[1]
