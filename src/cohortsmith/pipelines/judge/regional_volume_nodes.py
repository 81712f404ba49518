"""How large grey matter, white matter, fluid and ventricles are in real and in synthetic scans."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.regional_volumes import compare_regional_volumes, word_volumes
from cohortsmith.evaluation.sessions import first_sessions
from cohortsmith.imaging.tissue_volumes import TissueVolumes, measure_tissue_volumes
from cohortsmith.imaging.volume import Volume

Images = NDArray[np.float32]
MOST = 200  # scans of one kind: more make the comparison hardly sharper
COLUMNS = ["diagnosis", "source", *TissueVolumes._fields]
SLICES = "Regional volumes were not measured: the study's images are slices."


def measure_regional_volumes(
    study: StudyConfig,
    preparation: PreparationConfig,
    images: Images,
    splits: pd.DataFrame,
    grid: list[list[float]],
    *synthetic: Images,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, list[str]]]:
    """Measure tissues in template space (ml): one row per scan, the comparison of sources, and the same in words.

    Real scans: each subject's first one, training and held-out (validation, test); at most 200 of a kind. Slices have
    no volume: both tables are empty.
    """
    if preparation.kind == "slices":
        return pd.DataFrame(columns=COLUMNS), _compare(pd.DataFrame(columns=COLUMNS)), {"": [SLICES]}
    parts = []
    for label, made in zip(study.labels, synthetic, strict=True):
        own = splits[splits["diagnosis"] == label].assign(row=lambda rows: rows.index)
        kinds = {"training": own["split"] == "train", "held_out": own["split"].isin(["validation", "test"])}
        real = {source: images[first_sessions(own[mask])["row"].to_numpy()[:MOST]] for source, mask in kinds.items()}
        parts += [_measure(label, source, part, grid) for source, part in {**real, "synthetic": made[:MOST]}.items()]
    volumes = pd.concat(parts, ignore_index=True)
    compared = _compare(volumes)
    return volumes, compared, {label: word_volumes(compared, label) for label in study.labels}


def track_regional_volumes(compared: pd.DataFrame) -> dict[str, float]:
    """Give the parent run `fidelity.<label>.<region>_ml.<source>`, and what synthetic scans differ by."""
    metrics: dict[str, float] = {}
    for row in compared.itertuples():
        name = f"fidelity.{row.diagnosis}.{row.region}_ml"
        metrics[f"{name}.{row.source}"] = row.mean_ml
        if row.source == "synthetic":
            metrics |= {f"{name}.difference": row.difference, f"{name}.hedges_g": row.hedges_g}
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def _measure(label: str, source: str, images: Images, grid: list[list[float]]) -> pd.DataFrame:
    affine = np.asarray(grid)
    measured = [measure_tissue_volumes(Volume(np.asarray(image), affine)) for image in images]
    table = pd.DataFrame(measured, columns=list(TissueVolumes._fields))
    return pd.DataFrame({"diagnosis": label, "source": source, **table})


def _compare(volumes: pd.DataFrame) -> pd.DataFrame:
    return compare_regional_volumes(volumes, TissueVolumes._fields)
