"""What the tracker keeps of a generator: its decoder with signature and card, once, and nothing of a training subject."""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow.models import Model
from safetensors.numpy import load_file

from cohortsmith import tracking
from cohortsmith.models.tensor_file import write_tensors
from cohortsmith.tracking.views import VIEWS

CANARY = "sub-DOEJOHN"
CARD = {
    "kind": "rhvae",
    "fingerprint": "mark123",
    "data": {"study": "smoke", "diagnosis": "AD", "subjects": 6},
    "settings": {"latent_dim": 2, "network": {"hidden": [16]}},
    "signature": {
        "input": {"name": "latent", "type": "float32", "shape": [-1, 2]},
        "output": {"name": "image", "type": "float32", "shape": [-1, 5, 6, 7], "range": [0, 1]},
    },
}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make its tables: once is enough."""
    folder = tmp_path_factory.mktemp("empty")
    with contextlib.chdir(folder):
        tracking.open_store(f"sqlite:///{folder}/mlflow.db", "other", str(folder))
    return folder / "mlflow.db"


@pytest.fixture
def store(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> tracking.Store:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    shutil.copy(empty_store, tmp_path / "runs" / "mlflow.db")
    return tracking.open_store(f"sqlite:///{tmp_path}/runs/mlflow.db", "smoke", f"{tmp_path}/runs/artifacts")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A generator as it lies on the disk: its decoder's weights beside the codes of whom it saw."""
    weights, card = tmp_path / "generator.safetensors", tmp_path / "model_card.md"
    tensors = {"state.decoder.weight": torch.ones(3, 2), "state.encoder.weight": torch.full((2, 3), 7.0)}
    write_tensors(weights, {**tensors, "codes.mean": torch.full((6, 2), 9.0)}, {"subjects": [CANARY]})
    card.write_text("# Model card\n")
    return weights, card


def publish(store: tracking.Store, files: tuple[Path, Path]) -> tuple[tracking.ParentRun, str]:
    parent = tracking.start_parent(store, "smoke", {}, {})
    return parent, parent.publish_decoder(CARD, *files)


def folder_of(store: tracking.Store, model_id: str) -> Path:
    return Path(store.client.get_logged_model(model_id).artifact_location.removeprefix("file://"))


def test_only_the_decoder_is_kept(store, files):
    _, model = publish(store, files)

    kept = load_file(folder_of(store, model) / "decoder.safetensors")
    assert set(kept) == {"weight"}
    assert np.array_equal(kept["weight"], np.ones((3, 2)))


def test_nothing_kept_names_a_subject_or_a_path(store, files, tmp_path):
    publish(store, files)

    stored = b"".join(path.read_bytes() for path in (tmp_path / "runs" / "artifacts").rglob("*") if path.is_file())
    assert stored
    assert CANARY.encode() not in stored
    assert str(tmp_path).encode() not in stored


def test_mlflow_reads_the_signature(store, files):
    _, model = publish(store, files)

    signature = Model.load(str(folder_of(store, model))).signature
    assert [(one.name, one.type, one.shape) for one in signature.inputs] == [("latent", np.dtype("float32"), (-1, 2))]
    assert [one.shape for one in signature.outputs] == [(-1, 5, 6, 7)]


def test_the_model_is_ready_described_and_linked_to_its_run(store, files):
    parent, model = publish(store, files)

    found = store.client.get_logged_model(model)
    assert (str(found.status), found.name, found.source_run_id) == ("READY", "generator_AD", parent.run_id)
    assert found.params["network.hidden"] == "[16]"
    assert [one.model_id for one in store.client.get_run(parent.run_id).outputs.model_outputs] == [model]


def test_the_same_generator_is_not_stored_again_but_linked_again(store, files):
    _, first = publish(store, files)
    second_run, second = publish(store, files)

    assert first == second
    assert len(store.client.search_logged_models([store.experiment_id])) == 1
    assert [one.model_id for one in store.client.get_run(second_run.run_id).outputs.model_outputs] == [first]


def test_a_model_that_cannot_be_stored_is_failed_and_stored_the_next_time(store, files):
    weights, card = files
    with pytest.raises(FileNotFoundError):
        publish(store, (weights, card.with_name("missing.md")))

    _, model = publish(store, files)

    assert {str(one.status) for one in store.client.search_logged_models([store.experiment_id])} == {"FAILED", "READY"}
    assert str(store.client.get_logged_model(model).status) == "READY"


class TestSavedViews:
    def test_each_experiment_brings_every_view(self, store):
        tags = store.client.get_experiment(store.experiment_id).tags

        kept = {name: json.loads(tags[f"mlflow.sharedViewState.{name}"]) for name in VIEWS}
        assert kept == json.loads(json.dumps(VIEWS))

    @pytest.mark.parametrize("name", VIEWS)
    def test_no_view_is_longer_than_a_tag_may_be_or_sorted_by_date(self, name):
        assert len(json.dumps(VIEWS[name])) < 5000
        assert VIEWS[name]["orderByKey"].startswith("metrics.`")

    def test_a_view_that_was_changed_comes_back_with_the_next_run(self, store, tmp_path):
        store.client.set_experiment_tag(store.experiment_id, "mlflow.sharedViewState.arms", "{}")

        tracking.open_store(f"sqlite:///{tmp_path}/runs/mlflow.db", "smoke", f"{tmp_path}/runs/artifacts")

        tags = store.client.get_experiment(store.experiment_id).tags
        assert json.loads(tags["mlflow.sharedViewState.arms"])["searchFilter"] == "params.kind = 'arm'"

    def test_the_address_opens_one_as_charts(self):
        assert tracking.ui_address(5000, "1", "arms").endswith("&compareRunsMode=CHART&viewStateShareKey=arms")


class TestManyValues:
    def test_more_values_than_one_request_takes_all_arrive_in_order(self, store):
        parent = tracking.start_parent(store, "smoke", {f"name{n:03d}": n for n in range(230)}, {})
        parent.log_metrics({f"metric{n:04d}": float(n) for n in range(1950)})

        data = store.client.get_run(parent.run_id).data
        assert {name: data.params[name] for name in ("name000", "name229")} == {"name000": "0", "name229": "229"}
        assert len(data.params) == 231  # and its kind
        assert len(data.metrics) == 1950
        assert data.metrics["metric1949"] == 1949.0

    def test_charts_are_kept_with_the_parent(self, store):
        parent = tracking.start_parent(store, "smoke", {}, {})
        parent.log_figures({"arm_scores.png": b"png"})

        assert [one.path for one in store.client.list_artifacts(parent.run_id, "figures")] == ["figures/arm_scores.png"]
