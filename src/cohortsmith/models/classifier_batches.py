"""Where an arm's batches come from: real, augmented, synthetic or mixed images, half of each class."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cohortsmith.config.judge import Arm, ClassicAugmentationConfig
from cohortsmith.errors import StudyError
from cohortsmith.models.augmentation import augment

Batch = tuple[Tensor, Tensor]
SampleBatch = Callable[[torch.Generator], Batch]


class Labelled(NamedTuple):
    """Images with their classes.

    images: (N, *shape) float32 in [0, 1], an array or memory map, or the `.npy` file that holds it (what
        should travel to a worker process, which then reads the rows that it needs).
    labels: (n,) 0 control, 1 patient.
    rows:   (n,) the row of `images` that each label is about; None: all of them, in order.
    """

    images: NDArray[np.float32] | Path
    labels: NDArray[np.int64]
    rows: NDArray[np.int64] | None = None


class Opened(NamedTuple):
    """`Labelled` with its images at hand, as an array or a memory map, and its rows spelled out."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]


def opened(data: Labelled) -> Opened:
    """Open the images as a memory map if they are named by their file, and spell the rows out."""
    images = np.load(data.images, mmap_mode="r", allow_pickle=False) if isinstance(data.images, Path) else data.images
    rows = np.arange(len(data.labels)) if data.rows is None else np.asarray(data.rows)
    return Opened(images, np.asarray(data.labels), rows)


def read_images(data: Opened, chosen: NDArray[np.int64]) -> Tensor:
    """Read some images: positions (B,) among the labels -> (B, 1, *shape)."""
    return torch.from_numpy(np.array(data.images[data.rows[chosen]], dtype=np.float32)).unsqueeze(1)


def permute_labels(data: Labelled, seed: int) -> Labelled:
    """Give the labels to the images at random: the classes keep their sizes and lose their meaning."""
    return data._replace(labels=np.random.default_rng(seed).permutation(data.labels))


def draw_balanced(data: Opened, size: int, generator: torch.Generator) -> Batch:
    """Draw (size, 1, *shape) images with replacement, half of them (size even) of each class.

    Raises:
        StudyError: a class has no image.
    """
    halves = [_draw_of_class(data.labels, label, size // 2, generator) for label in (0, 1)]
    return read_images(data, np.concatenate(halves)), torch.arange(2).repeat_interleave(size // 2)


def batch_source(
    arm: Arm,
    real: Labelled,
    synthetic: Labelled | None,
    size: int,
    classic: ClassicAugmentationConfig,
    seed: int,
) -> SampleBatch:
    """Say where the arm's batches of `size` (a multiple of 4) come from; half of a mixed batch is real.

    Raises:
        StudyError: the arm needs synthetic images and there are none.
    """
    own = opened(permute_labels(real, seed) if arm == "random-labels" else real)
    if arm in ("real", "random-labels"):
        return lambda generator: draw_balanced(own, size, generator)
    if arm == "real+classic":
        return lambda generator: _augmented(draw_balanced(own, size, generator), classic, generator)
    if synthetic is None:
        raise StudyError("this arm needs synthetic images", where=f"judge.arms: {arm}", got="none")
    drawn = opened(synthetic)
    if arm == "synthetic":
        return lambda generator: draw_balanced(drawn, size, generator)
    return lambda generator: _joined(
        draw_balanced(own, size // 2, generator), draw_balanced(drawn, size // 2, generator)
    )


def _draw_of_class(labels: NDArray[np.int64], label: int, count: int, generator: torch.Generator) -> NDArray[np.int64]:
    members = np.flatnonzero(labels == label)
    if len(members) == 0:
        raise StudyError(
            "a class has no image to train on",
            where=f"classifier, class {label}",
            got=f"{len(labels)} images of the other class",
            remedy="check the split and the generators of both diagnoses",
        )
    drawn: NDArray[np.int64] = members[torch.randint(len(members), (count,), generator=generator).numpy()]
    return drawn


def _augmented(batch: Batch, classic: ClassicAugmentationConfig, generator: torch.Generator) -> Batch:
    images, labels = batch
    return augment(images, classic, generator), labels


def _joined(first: Batch, second: Batch) -> Batch:
    return torch.cat([first[0], second[0]]), torch.cat([first[1], second[1]])
