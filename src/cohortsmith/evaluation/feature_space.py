"""A fixed space in which images are compared: block means, then principal components of real training images.

The components know nothing of synthetic or held-out images, so neither can bend the space to its own advantage; no
network and no downloaded weights are needed. What lies outside the training images' span is not seen: features
complement the comparison of whole images (`evaluation/copying.py`), they do not replace it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

Images = NDArray[np.float32]
Features = NDArray[np.float64]

# more voxels or pixels than this are averaged in blocks first
LARGEST = 20_000


class FeatureSpace(NamedTuple):
    """Block side (voxels), and the principal components of block means, of unit length, about their mean."""

    block: int
    components: PCA

    @property
    def explained(self) -> float:
        """Share of the training images' variance that is kept."""
        return float(self.components.explained_variance_ratio_.sum())


def fit_feature_space(training: Images, n_components: int = 50, seed: int = 0) -> FeatureSpace:
    """Fit the space on real training images (N, *shape), an array or a memory map; at most N - 1 components."""
    block = choose_block(training.shape[1:])
    solver = PCA(min(n_components, len(training) - 1), svd_solver="randomized", random_state=seed)
    return FeatureSpace(block, solver.fit(_flat(training, block)))


def project(space: FeatureSpace, images: Images) -> Features:
    """Project images (M, *shape) to features (M, components), a few images at a time."""
    parts = [space.components.transform(_flat(images[i : i + 64], space.block)) for i in range(0, len(images), 64)]
    features: Features = np.concatenate(parts).astype(np.float64)
    return features


def choose_block(shape: tuple[int, ...]) -> int:
    """Choose the smallest block side that leaves at most `LARGEST` means."""
    block = 1
    while np.prod([-(-side // block) for side in shape]) > LARGEST:
        block += 1
    return block


def average_blocks(images: Images, block: int) -> Images:
    """Average blocks of `block` voxels a side: (M, *shape) -> (M, *ceil(shape / block)); the last ones may be thin."""
    for axis in range(1, images.ndim):
        starts = np.arange(0, images.shape[axis], block)
        widths = np.diff([*starts, images.shape[axis]]).reshape(-1, *[1] * (images.ndim - axis - 1))
        images = np.divide(np.add.reduceat(images, starts, axis=axis), widths, dtype=np.float32)
    return images


def _flat(images: Images, block: int) -> Images:
    parts = [average_blocks(np.asarray(image, dtype=np.float32)[None], block).ravel() for image in images]
    return np.stack(parts)
