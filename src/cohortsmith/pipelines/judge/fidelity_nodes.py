"""What the synthetic scans are like: copies or not, and (on the phantom) whether they carry the known effect."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.copying import Reconstructions, screen_copies
from cohortsmith.imaging.phantom import ventricle_volume
from cohortsmith.imaging.volume import Volume
from cohortsmith.models.fitted import reconstruct
from cohortsmith.models.provenance import TrainedGenerator

Images = NDArray[np.float32]


class Neighbours(NamedTuple):
    """Rows of one label's images in the stack of all images."""

    training: NDArray[np.int64]
    held_out: NDArray[np.int64]


def screen_for_copies(
    generator: TrainedGenerator, synthetic: Images, images: Images, splits: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Screen one label's synthetic images for copies of its training images; also in words."""
    rows = _rows_of(generator.label, splits)
    training, held_out = images[rows.training], images[rows.held_out]
    made = Reconstructions(
        np.asarray(reconstruct(generator.fitted, training)), np.asarray(reconstruct(generator.fitted, held_out))
    )
    keys = splits["key"].to_numpy()[rows.training]
    screen = screen_copies(synthetic, training, held_out, list(keys), made)
    error = {
        "training_rmse": _rmse(made.training, training),
        "held_out_rmse": _rmse(made.held_out, held_out),
        "mean_image_rmse": _rmse(np.broadcast_to(training.mean(axis=0), held_out.shape), held_out),
    }
    words = {"flagged_share": screen.flagged_share, "sentence": screen.sentence(), **error}
    return screen.table.assign(diagnosis=generator.label), words


def check_phantom_effect(
    study: StudyConfig, images: Images, splits: pd.DataFrame, grid: list[list[float]], *made: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure lateral ventricles (mm^3, template space) of real training and synthetic scans; compare the labels.

    made: generator, its synthetic images, the next generator, its images.
    """
    train = splits[splits["split"] == "train"]
    parts = [
        _measure("real", str(label), images[rows.index.to_numpy()], grid) for label, rows in train.groupby("diagnosis")
    ]
    parts += [_measure("synthetic", maker.label, made[2 * n + 1], grid) for n, maker in enumerate(made[::2])]
    volumes = pd.concat(parts, ignore_index=True)
    return volumes, ventricle_difference(volumes, study.labels)


def ventricle_difference(volumes: pd.DataFrame, labels: tuple[str, str]) -> pd.DataFrame:
    """Compare the patients' ventricles with the controls', real and synthetic: mean difference (mm^3) and Welch's p."""
    rows = []
    for source, group in volumes.groupby("source"):
        controls, patients = (group.loc[group["diagnosis"] == label, "ventricle_volume"] for label in labels)
        test = stats.ttest_ind(patients, controls, equal_var=False)
        interval = test.confidence_interval()
        rows.append(
            {
                "source": source,
                f"{labels[0]}_mean": controls.mean(),
                f"{labels[1]}_mean": patients.mean(),
                "difference": patients.mean() - controls.mean(),
                "low": interval.low,
                "high": interval.high,
                "p_value": test.pvalue,
            }
        )
    return pd.DataFrame(rows)


def _measure(source: str, label: str, images: Images, grid: list[list[float]]) -> pd.DataFrame:
    affine = np.asarray(grid)
    volumes = [ventricle_volume(Volume(np.asarray(image), affine)) for image in images]
    return pd.DataFrame({"source": source, "diagnosis": label, "ventricle_volume": volumes})


def _rows_of(label: str, splits: pd.DataFrame) -> Neighbours:
    own = splits[splits["diagnosis"] == label]
    held_out = own["split"].isin(["validation", "test"])
    return Neighbours(own.index[own["split"] == "train"].to_numpy(), own.index[held_out].to_numpy())


def _rmse(one: Images, other: Images) -> float:
    return float(np.sqrt(np.mean((np.asarray(one) - np.asarray(other)) ** 2)))
