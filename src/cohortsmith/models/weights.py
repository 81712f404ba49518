"""The weights that training can go back to: copies in memory, or on disk where the model is large."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from cohortsmith.models.tensor_file import open_tensors, write_tensors
from cohortsmith.models.vae import VAE

LARGE = 2 * 10**9  # bytes of weights beyond which the copies, as large each, go to disk
_KEPT = "kept."


class Weights(Protocol):
    """Two sets of weights: those that the present epoch began with, and those to go back to.

    Only weights that a bound has been computed with are kept, but for the initial ones.
    """

    def enter(self, model: VAE) -> None:
        """Remember the model's weights as those of the epoch that begins."""

    def keep(self) -> None:
        """Go back, from now on, to the weights that the present epoch began with."""

    def restore(self, model: VAE) -> None:
        """Put the kept weights back into the model."""

    def store(self) -> tuple[dict[str, Tensor], str]:
        """Give what a checkpoint needs: tensors, or the name of a file that already holds them."""

    def resume(self, tensors: Mapping[str, Tensor], file: str) -> None:
        """Take back what `store` gave. Raises FileNotFoundError."""

    def stored(self, file: str) -> None:
        """Learn that a checkpoint that needs `file` is on disk, and no older one."""


def remember(model: VAE, folder: Path | None) -> Weights:
    """Start at the model's initial weights; in files of `folder` where there is one and the model is LARGE."""
    return OnDisk(model, folder) if folder is not None and is_large(model) else InMemory(model)


def is_large(model: VAE) -> bool:
    """Say whether copies of a model's weights or all its gradients at once are too much for memory."""
    size: int = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    return size > LARGE


class InMemory:
    """Two copies beside the model's own weights."""

    def __init__(self, model: VAE) -> None:
        self.entered, self.kept = (_clone(model) for _ in range(2))

    def enter(self, model: VAE) -> None:
        """Copy."""
        _copy(model.state_dict(), self.entered)

    def keep(self) -> None:
        """Exchange."""
        self.entered, self.kept = self.kept, self.entered

    def restore(self, model: VAE) -> None:
        """Copy back."""
        _copy(self.kept, model.state_dict())

    def store(self) -> tuple[dict[str, Tensor], str]:
        """Give the kept tensors."""
        return {_KEPT + name: value for name, value in self.kept.items()}, ""

    def resume(self, tensors: Mapping[str, Tensor], file: str) -> None:
        """Take the kept tensors."""
        del file
        _copy({name.removeprefix(_KEPT): tensors[name] for name in tensors if name.startswith(_KEPT)}, self.kept)

    def stored(self, file: str) -> None:
        """Nothing lies in files."""


class OnDisk:
    """One safetensors file per set, never changed once written, so that a checkpoint may name it."""

    def __init__(self, model: VAE, folder: Path) -> None:
        self._folder = folder
        self._entered = self._kept = self._checkpointed = ""
        numbers = [_number(path.name) for path in folder.glob("weights-*.safetensors")]
        self._count = max(numbers, default=0)
        self._write(model)  # and delete nothing: a checkpoint that is still to be read may need it
        self._kept = self._entered

    def enter(self, model: VAE) -> None:
        """Write a file."""
        self._write(model)
        self._sweep()

    def keep(self) -> None:
        """Choose the file."""
        self._kept = self._entered
        self._sweep()

    def restore(self, model: VAE) -> None:
        """Read the file tensor by tensor."""
        with torch.no_grad(), open_tensors(self._folder / self._kept) as (tensors, _):
            for name, value in model.state_dict().items():
                value.copy_(tensors[name])

    def store(self) -> tuple[dict[str, Tensor], str]:
        """Name the file."""
        return {}, self._kept

    def resume(self, tensors: Mapping[str, Tensor], file: str) -> None:
        """Find the file."""
        del tensors
        if not (self._folder / file).is_file():
            raise FileNotFoundError(self._folder / file)
        self._kept = self._checkpointed = self._entered = file
        self._sweep()

    def stored(self, file: str) -> None:
        """Delete what only an older checkpoint needed."""
        self._checkpointed = file
        self._sweep()

    def _write(self, model: VAE) -> None:
        self._count += 1
        self._entered = f"weights-{self._count}.safetensors"
        write_tensors(self._folder / self._entered, model.state_dict(), {})

    def _sweep(self) -> None:
        for path in self._folder.glob("weights-*.safetensors"):
            if path.name not in (self._entered, self._kept, self._checkpointed):
                path.unlink()


def _number(file: str) -> int:
    return int(Path(file).stem.removeprefix("weights-"))


def _clone(model: VAE) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    for name, value in source.items():
        target[name].copy_(value)
