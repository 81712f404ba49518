"""On the phantom the truth is known: do the synthetic scans carry the known effect?"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cohortsmith.config.study import StudyConfig
from cohortsmith.imaging.phantom import ventricle_volume
from cohortsmith.imaging.volume import Volume

Images = NDArray[np.float32]


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
