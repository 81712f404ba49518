"""Split the subjects, stack their images, fit one generator per diagnosis."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.generator import TrainingConfig, read_generator
from cohortsmith.config.study import SplitConfig, StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.splits import split_subjects
from cohortsmith.execution import progress
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.training import fit_vae


def split_cohort(
    study: StudyConfig,
    split: SplitConfig,
    participants: pd.DataFrame,
    prepared: dict[str, Stored],
    external_participants: pd.DataFrame | None = None,
    external_prepared: dict[str, Stored] | None = None,
) -> pd.DataFrame:
    """Assign every prepared scan of a known label to train, validation, test or external."""
    own = split_subjects(_usable(participants, prepared, study), split, study.labels)
    if external_participants is None or external_prepared is None:
        return own.reset_index(drop=True)
    external = _usable(external_participants, external_prepared, study).assign(split="external")
    return pd.concat([own, external], ignore_index=True)


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
    *,
    label: str,
) -> TrainedGenerator:
    """Fit the generative model of one diagnosis on its training subjects, unless the same one is there already."""
    rows = splits[(splits["split"] == "train") & (splits["diagnosis"] == label)]
    config = read_generator(generator)
    mark = fingerprint("fit", label, rows["fingerprint"].tolist(), config, training, seed)
    if known is not None and known.fingerprint == mark:
        return known
    with progress(f"{label}: train {config.kind}", training.epochs) as advance:
        fitted = fit_vae(
            np.asarray(images[rows.index.to_numpy()]), config, training, seed, on_epoch=lambda *_: advance()
        )
    return TrainedGenerator(fitted, label, tuple(rows["participant_id"]), mark, seed)


def _usable(participants: pd.DataFrame, prepared: dict[str, Stored], study: StudyConfig) -> pd.DataFrame:
    rows = participants[participants["key"].isin(prepared) & participants["diagnosis"].isin(study.labels)].copy()
    rows["fingerprint"] = [prepared[key].record["Fingerprint"] for key in rows["key"]]
    return rows


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
