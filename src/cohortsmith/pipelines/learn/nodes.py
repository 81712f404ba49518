"""Stack the cohort's images, fit one generator per diagnosis."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.generator import TrainingConfig, read_generator
from cohortsmith.errors import StudyError
from cohortsmith.execution import progress
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.divergence import NAMED, TrainingDiverged
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.resuming import HARMLESS
from cohortsmith.models.training import fit_vae


def stack_images(
    splits: pd.DataFrame, prepared: dict[str, Stored], external_prepared: dict[str, Stored] | None = None
) -> tuple[Iterator[NDArray[np.float32]], list[list[float]]]:
    """Stack the prepared images in the order of `splits`, and give the affine that they all share."""
    scans = {("own", key): scan for key, scan in prepared.items()}
    scans |= {("external", key): scan for key, scan in (external_prepared or {}).items()}
    ordered = [
        scans["external" if row.split == "external" else "own", row.key] for row in splits.itertuples(index=False)
    ]
    affine = ordered[0].load().affine
    return _images(ordered, affine), affine.tolist()


def fit_generator(
    images: NDArray[np.float32],
    splits: pd.DataFrame,
    generator: dict[str, Any],
    training: TrainingConfig,
    seed: int,
    known: TrainedGenerator | None,
    checkpoint: Path | None = None,
    *,
    label: str,
) -> TrainedGenerator:
    """Fit the generative model of one diagnosis on its training subjects, unless the same one is there already.

    checkpoint: a folder from which a run that was killed goes on. The history numbers images as `subjects` has them.
    """
    config, own = read_generator(generator), splits["diagnosis"] == label
    rows = splits[own & (splits["split"] == "train")]
    watched = splits[own & (splits["split"] == "validation") & (training.stop_on == "validation")]
    prints = [rows["fingerprint"].tolist(), *([watched["fingerprint"].tolist()] if len(watched) else [])]
    mark = fingerprint("fit", label, *prints, config, training.model_dump(mode="json", exclude=HARMLESS), seed)
    if known is not None and known.fingerprint == mark:
        return known
    with progress(f"{label}: train {config.kind}", training.epochs) as advance, _naming_subjects(label, rows):
        fitted = fit_vae(
            np.asarray(images[rows.index.to_numpy()]),
            config,
            training,
            seed,
            on_epoch=lambda *_: advance(),
            checkpoint=checkpoint,
            validation=np.asarray(images[watched.index.to_numpy()]) if len(watched) else None,
        )
    return TrainedGenerator(fitted, label, tuple(rows["participant_id"]), mark, seed)


@contextlib.contextmanager
def _naming_subjects(label: str, rows: pd.DataFrame) -> Iterator[None]:
    try:
        yield
    except TrainingDiverged as error:
        error.where = f"generator of {label}, {error.where}"
        if error.images:
            error.got += f" (subjects {', '.join(rows['participant_id'].iloc[list(error.images[:NAMED])])})"
        raise


def _images(scans: list[Stored], affine: NDArray[np.float64]) -> Iterator[NDArray[np.float32]]:
    for scan in scans:
        volume = scan.load()
        if not np.allclose(volume.affine, affine, atol=1e-3):
            raise StudyError(
                "a prepared scan lies on another grid than the rest",
                where=scan.record["Key"],
                got=str(volume.affine.round(3).tolist()),
                expected=str(affine.round(3).tolist()),
                remedy="remove the study's folder under data/03_primary and run again",
            )
        yield volume.data[:, :, 0] if volume.data.shape[2] == 1 else volume.data
