"""One generator to be fitted: who is in it, by which settings, and its fingerprint; here or in a worker process."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.generator import TrainingConfig, VAEConfig
from cohortsmith.fingerprints import fingerprint
from cohortsmith.models.divergence import NAMED, TrainingDiverged
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.resuming import HARMLESS
from cohortsmith.models.training import fit_vae

Images = NDArray[np.float32]


class PlannedFit(NamedTuple):
    """A generator of one diagnosis before its training.

    images: the stack of all scans, or its `.npy` file (what should travel to a worker process). rows: of the training
    scans, watched: of the validation scans that may stop the training. subjects: of `rows`.
    """

    label: str
    images: Images | Path
    rows: NDArray[np.int64]
    watched: NDArray[np.int64]
    subjects: tuple[str, ...]
    config: VAEConfig
    training: TrainingConfig
    seed: int
    fingerprint: str


def plan_fit(
    images: Images | Path, splits: pd.DataFrame, config: VAEConfig, training: TrainingConfig, seed: int, label: str
) -> PlannedFit:
    """Plan the fit to a diagnosis' training scans; `splits` has one row per image, in order."""
    own = splits["diagnosis"] == label
    rows = splits[own & (splits["split"] == "train")]
    watched = splits[own & (splits["split"] == "validation") & (training.stop_on == "validation")]
    prints = [rows["fingerprint"].tolist(), *([watched["fingerprint"].tolist()] if len(watched) else [])]
    mark = fingerprint("fit", label, *prints, config, training.model_dump(mode="json", exclude=HARMLESS), seed)
    places = [part.index.to_numpy() for part in (rows, watched)]
    return PlannedFit(label, images, *places, tuple(rows["participant_id"]), config, training, seed, mark)


def carry_out(
    plan: PlannedFit, checkpoint: Path | None = None, on_epoch: Callable[[int, float], None] | None = None
) -> TrainedGenerator:
    """Fit it; checkpoint: a folder from which a training that was killed goes on.

    Raises:
        TrainingDiverged: as `fit_vae`, and the diagnosis and subjects are named.
    """
    images = np.load(plan.images, mmap_mode="r", allow_pickle=False) if isinstance(plan.images, Path) else plan.images
    with _naming_subjects(plan):
        fitted = fit_vae(
            np.asarray(images[plan.rows]),
            plan.config,
            plan.training,
            plan.seed,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            validation=np.asarray(images[plan.watched]) if len(plan.watched) else None,
        )
    return TrainedGenerator(fitted, plan.label, plan.subjects, plan.fingerprint, plan.seed)


@contextlib.contextmanager
def _naming_subjects(plan: PlannedFit) -> Iterator[None]:
    try:
        yield
    except TrainingDiverged as error:
        error.where = f"generator of {plan.label}, {error.where}"
        if error.images:
            error.got += f" (subjects {', '.join(plan.subjects[row] for row in error.images[:NAMED])})"
        raise
