"""A training that a kill interrupts goes on at its last checkpoint, to the same weights bit for bit.

Bit for bit on the same machine and number of threads, and on a GPU as far as its kernels repeat themselves.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from cohortsmith import __version__
from cohortsmith.config.generator import TrainingConfig, VAEConfig
from cohortsmith.models.batches import Images, split_batches
from cohortsmith.models.fitted import EpochRecord
from cohortsmith.models.learner import Learner
from cohortsmith.models.tensor_file import open_tensors, write_tensors

FORMAT = 1
FILE = "training.safetensors"
_SCALARS = ("phase", "scale", "rate", "flow", "steps", "rollbacks", "smoothed", "best", "stale", "kept_scale")
_MODEL, _ADAM, _GENERATOR = "model.", "adam.", "generator"
HARMLESS = {"checkpoint_every", "checkpoint_seconds", "device"}  # of TrainingConfig: no part of the result

log = logging.getLogger(__name__)


class Checkpoints:
    """Checkpoints of one training in one folder; an interval in epochs and one in seconds must both have passed."""

    def __init__(self, folder: Path, mark: str, training: TrainingConfig) -> None:
        self._file, self._mark, self._training = folder / FILE, mark, training
        self._last = time.monotonic()

    def resume(self, learner: Learner, generator: torch.Generator) -> list[EpochRecord]:
        """Bring learner and generator to where the checkpoint was written; give the history until then, or none."""
        if not self._file.is_file():
            return []
        try:
            with open_tensors(self._file) as (tensors, plain):
                if (plain["format"], plain["mark"]) != (FORMAT, self._mark):
                    log.warning("%s is of other images or settings: training starts anew", self._file)
                    return []
                history = [EpochRecord(**record) for record in plain["history"]]
                _take_back(learner, generator, tensors, plain)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            log.warning("%s cannot be read (%s): training starts anew", self._file, error)
            return []
        log.info("training goes on after epoch %d, from %s", history[-1].epoch, self._file)
        return history

    def offer(self, learner: Learner, generator: torch.Generator, history: list[EpochRecord]) -> None:
        """Write a checkpoint if it is time."""
        elapsed = time.monotonic() - self._last
        if len(history) % self._training.checkpoint_every or elapsed < self._training.checkpoint_seconds:
            return
        tensors, plain = _give(learner, generator)
        records = [record._asdict() for record in history]
        write_tensors(self._file, tensors, plain | {"format": FORMAT, "mark": self._mark, "history": records})
        learner.weights.stored(plain["kept"])
        self._last = time.monotonic()


def mark_of(images: list[Images], config: VAEConfig, training: TrainingConfig, seed: int, device: torch.device) -> str:
    """Hash all that decides a training's result: equal marks mean that one may go on where another stopped."""
    settings = [config.model_dump(mode="json"), training.model_dump(mode="json", exclude=HARMLESS), seed]
    digest = hashlib.sha256(json.dumps([__version__, torch.__version__, device.type, *settings]).encode())
    for stack in images:
        digest.update(str(stack.shape).encode())
        for rows in split_batches(len(stack), training.batch_size):
            digest.update(np.ascontiguousarray(stack[rows], dtype=np.float32).data)
    return digest.hexdigest()


def remove_checkpoints(folder: Path) -> None:
    """Remove what training left in a folder, and the folder if nothing else is in it."""
    for part in folder.glob(".*.safetensors.part"):
        shutil.rmtree(part)
    for pattern in (FILE, "weights-*.safetensors"):
        for path in folder.glob(pattern):
            path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _give(learner: Learner, generator: torch.Generator) -> tuple[dict[str, Tensor], dict[str, Any]]:
    kept, file = learner.weights.store()
    tensors = {_MODEL + name: value for name, value in learner.model.state_dict().items()}
    for name, parameter in learner.model.named_parameters():
        moments = learner.optimizer.state.get(parameter, {})
        tensors |= {f"{_ADAM}{key}.{name}": value for key, value in moments.items()}
    plain = {"learner": {name: getattr(learner, name) for name in _SCALARS}, "kept": file}
    return tensors | kept | {_GENERATOR: generator.get_state()}, plain


def _take_back(
    learner: Learner, generator: torch.Generator, tensors: Mapping[str, Tensor], plain: dict[str, Any]
) -> None:
    learner.weights.resume(tensors, plain["kept"])  # the one thing that may be missing comes first
    with torch.no_grad():
        for name, value in learner.model.state_dict().items():
            value.copy_(tensors[_MODEL + name])
    parameters = dict(learner.model.named_parameters())
    for stored in tensors:
        if stored.startswith(_ADAM):
            key, name = stored.removeprefix(_ADAM).split(".", 1)
            parameter = parameters[name]
            learner.optimizer.state[parameter][key] = tensors[stored].to(parameter.device)
    generator.set_state(tensors[_GENERATOR])
    for name in _SCALARS:
        setattr(learner, name, plain["learner"][name])
