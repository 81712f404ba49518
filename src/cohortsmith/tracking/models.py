"""A generator's decoder in the tracker: weights, signature and model card; neither codes of subjects nor their ids."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec
from safetensors import safe_open
from safetensors.numpy import save_file

from cohortsmith.tracking.flat_parameters import flatten_parameters
from cohortsmith.tracking.store import Store

DECODER = "state.decoder."  # names of the decoder's tensors in a generator's file begin so
_READY = "READY"


def publish_decoder(store: Store, run_id: str, card: Mapping[str, Any], weights: Path, card_text: Path) -> str:
    """Log the decoder as a model of the run, or point at the one with the same fingerprint that is there already.

    card: as from `reporting.model_card`. weights: the generator's safetensors, of which only the decoder's tensors
    are published: the codes beside them, decoded, show the training subjects. Gives the model's id.
    """
    known = _find(store, card["fingerprint"])
    model_id = known or _log(store, run_id, card, weights, card_text)
    store.client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id


def as_signature(given: Mapping[str, Any]) -> ModelSignature:
    """Give MLflow's own signature object of a card's `signature`."""
    specs = {
        side: Schema([TensorSpec(np.dtype(one["type"]), tuple(one["shape"]), one["name"])])
        for side, one in given.items()
    }
    return ModelSignature(inputs=specs["input"], outputs=specs["output"])


def _find(store: Store, mark: str) -> str:
    found = store.client.search_logged_models([store.experiment_id], f"tags.`fingerprint` = '{mark}'")
    return next((str(model.model_id) for model in found if str(model.status) == _READY), "")


def _log(store: Store, run_id: str, card: Mapping[str, Any], weights: Path, card_text: Path) -> str:
    data = card["data"]
    tags = {"fingerprint": card["fingerprint"], "label": data["diagnosis"], "study": data["study"]}
    parameters = flatten_parameters({"kind": card["kind"], "n_training": data["subjects"], **card["settings"]})
    name = f"generator_{data['diagnosis']}"
    model = store.client.create_logged_model(store.experiment_id, name, run_id, tags, parameters, "generator")
    status = "FAILED"
    try:
        with tempfile.TemporaryDirectory(prefix="cohortsmith-") as folder:
            _write(Path(folder), card, weights, card_text)
            store.client.log_model_artifacts(model.model_id, folder)
        status = _READY
    finally:
        store.client.finalize_logged_model(model.model_id, status)
    return str(model.model_id)


def _write(folder: Path, card: Mapping[str, Any], weights: Path, card_text: Path) -> None:
    with safe_open(weights, "np") as file:
        names = [name for name in list(file.keys()) if name.startswith(DECODER)]
        decoder = {name.removeprefix(DECODER): file.get_tensor(name) for name in names}
    save_file(decoder, folder / "decoder.safetensors")
    copyfile(card_text, folder / "model_card.md")
    Model(signature=as_signature(card["signature"]), metadata={"card": dict(card)}).save(folder / "MLmodel")
