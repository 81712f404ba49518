"""Intensities of a T1w scan, which have no unit."""

import numpy as np
from numpy.typing import NDArray


def min_max(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map (x - min) / (max - min), onto [0, 1] (Chadebec et al. 2022, section 1.5); a constant image gives zeros."""
    low, high = float(data.min()), float(data.max())
    if not high > low:
        return np.zeros(data.shape, dtype=np.float32)
    return np.asarray((data - low) / (high - low), dtype=np.float32)


def winsorise(data: NDArray[np.float32], low: float = 0.005, high: float = 0.995) -> NDArray[np.float32]:
    """Clip at two quantiles, so that a few bright vessels do not fill the joint histogram (ANTs' defaults)."""
    return np.asarray(np.clip(data, *np.quantile(data, [low, high])), dtype=np.float32)


def foreground(data: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Say which voxels hold tissue: above a tenth of the robust range (Smith 2002, Fast robust brain extraction)."""
    low, high = np.quantile(data, [0.02, 0.98])
    return np.asarray(data > low + 0.1 * (high - low))
