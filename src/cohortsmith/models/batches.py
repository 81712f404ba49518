"""Batches of a generator's training images, read only when they are needed."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Images = NDArray[np.float32]
"""(N, *shape) in [0, 1], in memory or memory-mapped."""


def split_batches(n_images: int, batch_size: int) -> list[NDArray[np.intp]]:
    """Split indices into the fewest batches of at most `batch_size`, as equal as can be: each makes a metric."""
    return np.array_split(np.arange(n_images), math.ceil(n_images / batch_size))


def read_batch(images: Images, rows: NDArray[np.intp]) -> Tensor:
    """Read rows of images (N, *shape) into a tensor (B, D)."""
    return torch.from_numpy(np.asarray(images[rows], dtype=np.float32)).flatten(1)
