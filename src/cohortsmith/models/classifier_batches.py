"""Where an arm's batches come from: real, augmented, repeated or decoded images, half of each class.

Every origin of images is a `BatchSource`: it knows its labels and gives the images of some rows when they are needed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cohortsmith.config.judge import Arm, ClassicAugmentationConfig
from cohortsmith.errors import StudyError
from cohortsmith.models.augmentation import augment
from cohortsmith.models.classifier_decoding import BLOCK, Decode, decode_in_blocks

Rows = NDArray[np.int64]
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
    rows: Rows | None = None


class Latents(NamedTuple):
    """Synthetic images that are decoded when they are drawn; thousands of them take no more memory than a batch.

    points: (n, d) latent points. labels: (n,) 0 control, 1 patient.
    decoders: of the control's and the patient's points; to travel to a worker process, they must pickle.
    """

    points: Tensor
    labels: NDArray[np.int64]
    decoders: tuple[Decode, Decode]


ImageSet = Labelled | Latents


class BatchSource(NamedTuple):
    """Labels (n,), and a function from rows (B,) below n to images (B, 1, *shape) in [0, 1].

    Only sources that vary their images draw from the generator. together: how many images of a class are best made
    at once.
    """

    labels: NDArray[np.int64]
    images: Callable[[Rows, torch.Generator], Tensor]
    together: int = 1


class Training(NamedTuple):
    """What an arm may be trained on; prior: draws from a plain VAE's prior, as synthetic ones."""

    real: Labelled
    synthetic: ImageSet | None = None
    prior: ImageSet | None = None


def source_of(data: ImageSet) -> BatchSource:
    """Read images from an array, memory map or file, or decode them."""
    return _decoded(data) if isinstance(data, Latents) else _stored(data)


def augmented(source: BatchSource, classic: ClassicAugmentationConfig) -> BatchSource:
    """Give a new version of each image every time."""
    return source._replace(images=lambda rows, generator: augment(source.images(rows, generator), classic, generator))


def repeated(source: BatchSource, counts: tuple[int, int], seed: int) -> BatchSource:
    """Repeat the images of each class until there are so many controls and patients.

    Each is taken equally often; which ones are taken once more follows from the seed.
    """
    random = np.random.default_rng(seed)
    origin = np.concatenate(
        [np.resize(random.permutation(_members(source.labels, label)), counts[label]) for label in (0, 1)]
    )
    return source._replace(
        labels=source.labels[origin], images=lambda rows, generator: source.images(origin[rows], generator)
    )


def concatenated(sources: tuple[BatchSource, ...]) -> BatchSource:
    """Put sources one after the other into one."""
    starts = np.cumsum([0, *(len(source.labels) for source in sources)])

    def read(rows: Rows, generator: torch.Generator) -> Tensor:
        of = np.searchsorted(starts, rows, side="right") - 1
        places = [np.flatnonzero(of == index) for index in range(len(sources))]
        parts = [
            source.images(rows[where] - starts[index], generator)
            for index, (source, where) in enumerate(zip(sources, places, strict=True))
            if len(where)
        ]
        return torch.cat(parts)[np.argsort(np.concatenate(places))]

    together = max(source.together for source in sources)
    return BatchSource(np.concatenate([source.labels for source in sources]), read, together)


def permute_labels(data: Labelled, seed: int) -> Labelled:
    """Give the labels to the images at random: the classes keep their sizes and lose their meaning."""
    return data._replace(labels=np.random.default_rng(seed).permutation(data.labels))


def arm_sources(arm: Arm, data: Training, classic: ClassicAugmentationConfig, seed: int) -> tuple[BatchSource, ...]:
    """Say what the arm is trained on: one source, or two that `sample_from` mixes half and half.

    Classes are balanced in every arm, so that the copies of `real+oversampling` differ from `real` only in which
    images a batch happens to hold: a control of what other draws alone change. `real+classic` has the originals and
    altered copies. There are as many copies as synthetic images, or, without these, as originals.

    Raises:
        StudyError: the arm needs synthetic images and there are none.
    """
    own = source_of(permute_labels(data.real, seed) if arm == "random-labels" else data.real)
    match arm:
        case "real" | "random-labels":
            return (own,)
        case "real+classic":
            return own, augmented(repeated(own, _copies(data), seed), classic)
        case "real+oversampling":
            return own, repeated(own, _copies(data), seed)
        case "synthetic":
            return (source_of(_existing(arm, data.synthetic)),)
        case "real+synthetic":
            return own, source_of(_existing(arm, data.synthetic))
        case "real+vae-prior":
            return own, source_of(_existing(arm, data.prior))


def sample_from(sources: tuple[BatchSource, ...], size: int) -> SampleBatch:
    """Draw batches of `size` (a multiple of 4) from one source, or half from each of two; half of each class.

    Images are drawn with replacement; small batches of decoded ones several at once, as a part of a block takes as long
    as a whole one.

    Raises:
        StudyError: a class has no image.
    """
    at_once = max(1, 2 * max(source.together for source in sources) * len(sources) // size)
    waiting: Iterator[Batch] = iter(())

    def sample(generator: torch.Generator) -> Batch:
        nonlocal waiting
        batch = next(waiting, None)
        if batch is None:
            waiting = _draw_batches(sources, size, at_once, generator)
            batch = next(waiting)
        return batch

    return sample


def _draw_batches(
    sources: tuple[BatchSource, ...], size: int, count: int, generator: torch.Generator
) -> Iterator[Batch]:
    drawn = [_draw_rows(source, count * size // len(sources), generator) for source in sources]
    made = [
        source.images(rows, generator) if source.together > 1 else None
        for source, rows in zip(sources, drawn, strict=True)
    ]
    labels = torch.arange(2).repeat_interleave(size // len(sources) // 2).repeat(len(sources))
    for index in range(count):
        parts = [
            source.images(_part(torch.from_numpy(rows), index, count).numpy(), generator)
            if ready is None
            else _part(ready, index, count)
            for source, rows, ready in zip(sources, drawn, made, strict=True)
        ]
        yield torch.cat(parts), labels


def _part(values: Tensor, index: int, count: int) -> Tensor:
    """Take one of `count` equal parts (size / count, ...) of values (size, ...), half of which are of either class."""
    return torch.cat([of_class.chunk(count)[index] for of_class in values.chunk(2)])


def _stored(data: Labelled) -> BatchSource:
    images = np.load(data.images, mmap_mode="r", allow_pickle=False) if isinstance(data.images, Path) else data.images
    origin = np.arange(len(data.labels)) if data.rows is None else np.asarray(data.rows)

    def read(rows: Rows, _generator: torch.Generator) -> Tensor:
        return torch.from_numpy(np.array(images[origin[rows]], dtype=np.float32)).unsqueeze(1)

    return BatchSource(np.asarray(data.labels), read)


def _decoded(data: Latents) -> BatchSource:
    def read(rows: Rows, _generator: torch.Generator) -> Tensor:
        parts = [(np.flatnonzero(data.labels[rows] == label), data.decoders[label]) for label in (0, 1)]
        made = [
            (places, decode_in_blocks(decode, data.points[rows[places]])) for places, decode in parts if len(places)
        ]
        images = made[0][1].new_empty(len(rows), 1, *made[0][1].shape[1:])
        for places, decoded in made:
            images[places, 0] = decoded
        return images

    return BatchSource(data.labels, read, BLOCK)


def _copies(data: Training) -> tuple[int, int]:
    labels = (data.real if data.synthetic is None else data.synthetic).labels
    return int((labels == 0).sum()), int((labels == 1).sum())


def _existing(arm: Arm, data: ImageSet | None) -> ImageSet:
    if data is None:
        raise StudyError("this arm needs synthetic images", where=f"judge.arms: {arm}", got="none")
    return data


def _members(labels: NDArray[np.int64], label: int) -> Rows:
    members = np.flatnonzero(labels == label)
    if len(members) == 0:
        raise StudyError(
            "a class has no image to train on",
            where=f"classifier, class {label}",
            got=f"{len(labels)} images of the other class",
            remedy="check the split and the generators of both diagnoses",
        )
    return members


def _draw_rows(source: BatchSource, size: int, generator: torch.Generator) -> Rows:
    return np.concatenate([_draw_of_class(source.labels, label, size // 2, generator) for label in (0, 1)])


def _draw_of_class(labels: NDArray[np.int64], label: int, count: int, generator: torch.Generator) -> Rows:
    members = _members(labels, label)
    drawn: Rows = members[torch.randint(len(members), (count,), generator=generator).numpy()]
    return drawn
