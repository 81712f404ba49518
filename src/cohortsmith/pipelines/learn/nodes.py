"""Stack the cohort's images, fit one generator per diagnosis."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.generator import TrainingConfig, read_generator
from cohortsmith.errors import StudyError
from cohortsmith.execution import progress
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.provenance import TrainedGenerator

from .fits import carry_out, plan_fit


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
    plan = plan_fit(images, splits, read_generator(generator), training, seed, label)
    if known is not None and known.fingerprint == plan.fingerprint:
        return known
    with progress(f"{label}: train {plan.config.kind}", training.epochs) as advance:
        return carry_out(plan, checkpoint, lambda *_: advance())


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
