"""How much grey matter, white matter and fluid an aligned T1w scan shows, and how large its lateral ventricles are.

A mixture of three normal laws of the intensity. Its weights in each voxel are the template's tissue shares times one
factor per tissue that is fitted to the scan (Ashburner and Friston 2005, "Unified segmentation", without their bias
field and deformation); one spread for all three, as separate ones let a class swallow what lies between its neighbours.
A yardstick that treats real and synthetic scans alike, not a clinical segmentation.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cohortsmith.imaging.grid import coarsen, grid_of
from cohortsmith.imaging.tissue_priors import tissue_priors
from cohortsmith.imaging.volume import Volume

Array = NDArray[np.float64]

_FINEST = 2.0  # mm; finer voxels cost time and change nothing
_ITERATIONS = 20
_SMALLEST_SD = 1e-3  # in units of the [0, 1] intensity range: an image without noise has none


class TissueVolumes(NamedTuple):
    """Volumes in template space, ml: the size of the head is taken out. NaN: intensities unlike those of a T1w scan.

    ventricles: fluid in and 8 mm around the template's lateral ventricles; it is part of csf.
    """

    grey: float
    white: float
    csf: float
    ventricles: float


def measure_tissue_volumes(volume: Volume) -> TissueVolumes:
    """Measure a scan aligned with MNI space, on any grid that holds the brain; the intensities' scale has no effect."""
    scan = coarsen(volume, _FINEST)
    priors = tissue_priors(grid_of(scan))
    values = scan.data[priors.inside].astype(np.float64)
    shares, means = separate_tissues(values, priors.shares)
    if not np.all(np.diff(means) > 0):
        return TissueVolumes(*[float("nan")] * 4)
    millilitres = abs(float(np.linalg.det(scan.affine[:3, :3]))) / 1000
    csf, grey, white = (float(total) for total in shares.sum(axis=0) * millilitres)
    return TissueVolumes(grey, white, csf, float(shares[priors.ventricles, 0].sum()) * millilitres)


def separate_tissues(values: Array, priors: Array) -> tuple[Array, Array]:
    """Share each voxel out among fluid, grey and white matter by expectation maximisation.

    values: (n,) intensities; priors: (n, 3) positive, rows sum to 1. Gives shares (n, 3) and each tissue's mean (3,).
    """
    means = np.asarray(np.linalg.lstsq(priors, values, rcond=None)[0], dtype=np.float64)
    spread, factors = max(float(values.std()) / 3, _SMALLEST_SD), np.ones(3)
    for _ in range(_ITERATIONS):
        shares = _posterior(values, priors * factors, means, spread)
        weights = shares.sum(axis=0).clip(1e-12)
        means = np.asarray(values @ shares / weights, dtype=np.float64)
        squared = (values[:, None] - means) ** 2
        spread = max(float(np.sqrt((squared * shares).sum() / len(values))), _SMALLEST_SD)
        factors = weights / (priors / (priors @ factors)[:, None]).sum(axis=0)
    return shares, means


def _posterior(values: Array, weights: Array, means: Array, spread: float) -> Array:
    exponents = np.log(weights.clip(1e-300)) - 0.5 * ((values[:, None] - means) / spread) ** 2
    joint = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))
