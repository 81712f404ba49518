"""The image sets, from the folder of shared data, and the draws of small sets from them."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
Images = NDArray[np.float32]
Labels = NDArray[np.int64]


class Labelled(NamedTuple):
    """Images (n, side, side) in [0, 1] and their classes (n,)."""

    images: Images
    labels: Labels


class SmallSet(NamedTuple):
    """A small set split by class into training and validation images, and all other images to test on."""

    train: Labelled
    validation: Labelled
    test: Labelled


def toy_folder() -> Path:
    return Path(os.environ.get("COHORTSMITH_SHARED") or ROOT.parent / "shared") / "data" / "toy"


def load(name: str) -> Labelled:
    with np.load(toy_folder() / f"{name}.npz", allow_pickle=False) as stored:
        return Labelled(stored["images"].astype(np.float32) / 255, stored["labels"].astype(np.int64))


def draw_small_set(whole: Labelled, classes: range, per_class: int, train_share: float, seed: int) -> SmallSet:
    """Draw `per_class` images of each class; `train_share` of them to train on, the others to validate."""
    rng = np.random.default_rng(seed)
    n_train = round(per_class * train_share)
    train, validation = [], []
    for label in classes:
        rows = rng.permutation(np.flatnonzero(whole.labels == label))[:per_class]
        train.append(rows[:n_train])
        validation.append(rows[n_train:])
    drawn = np.concatenate([*train, *validation])
    others = np.setdiff1d(np.flatnonzero(np.isin(whole.labels, list(classes))), drawn)
    return SmallSet(*(_rows(whole, rows) for rows in (np.concatenate(train), np.concatenate(validation), others)))


def join(*parts: Labelled) -> Labelled:
    return Labelled(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))


def of_class(whole: Labelled, label: int) -> Images:
    return whole.images[whole.labels == label]


def _rows(whole: Labelled, rows: NDArray[np.intp]) -> Labelled:
    return Labelled(whole.images[rows], whole.labels[rows])
