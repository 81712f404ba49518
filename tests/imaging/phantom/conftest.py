from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.phantom import PhantomScan, make_scan
from cohortsmith.imaging.volume import Volume


@pytest.fixture(scope="session")
def config() -> PhantomConfig:
    return PhantomConfig()


@pytest.fixture(scope="session")
def scan(config: PhantomConfig) -> PhantomScan:
    return make_scan(config, "training", 0)


@pytest.fixture(scope="session")
def prepare() -> Callable[[PhantomScan], Volume]:
    """Align a scan by its true pose with the coarse grid of the experiment, 42 x 52 x 45 at 4 mm, and min-max scale it."""
    return _prepare


def _prepare(scan: PhantomScan) -> Volume:
    fine, coarse = np.diag([2.0, 2, 2, 1]), np.diag([4.0, 4, 4, 1])
    fine[:3, 3], coarse[:3, 3] = (-84, -119, -78), (-83, -118, -77)
    to_index = np.linalg.inv(scan.truth.pose @ scan.volume.affine) @ fine
    aligned = ndimage.affine_transform(scan.volume.data, to_index, output_shape=(84, 104, 90), order=1)
    small = aligned.reshape(42, 2, 52, 2, 45, 2).mean(axis=(1, 3, 5))
    return Volume((small - small.min()) / np.ptp(small), coarse)
