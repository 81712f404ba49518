"""Products with a matrix that has as many rows as an image has voxels."""

from functools import cache

import torch
from torch import Tensor

_MULTIPLY_ADDS = 2**21  # of a block and one image: 8 MB of the wide matrix, which stay in the cache (measured: 1 to 32)


def product(left: Tensor, right: Tensor) -> Tensor:
    """Give left right^T: (B, n), (m, n) -> (B, m), without a graph."""
    # PyTorch's own oneDNN product: with AVX-512 half the time of its BLAS on an AMD processor (Intel: not tried).
    if left.dtype == torch.float32 and left.device.type == "cpu" and _has_onednn():
        result: Tensor = torch.ops.mkldnn._linear_pointwise(_dense(left), _dense(right), None, "none", [], "")
        return result
    return left @ right.mT


def blocks(weight: Tensor) -> list[slice]:
    """Cut the rows of a weight (D, n) into blocks that fit a processor's cache; on a GPU one block is all."""
    size = len(weight) if weight.is_cuda else max(1, _MULTIPLY_ADDS // weight.shape[1])
    return [slice(first, first + size) for first in range(0, len(weight), size)]


def _dense(matrix: Tensor) -> Tensor:
    # For a transposed slice of columns oneDNN falls back to a reference kernel, a thousand times slower.
    return matrix if matrix.is_contiguous() or matrix.mT.is_contiguous() else matrix.contiguous()


@cache
def _has_onednn() -> bool:
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and torch.backends.cpu.get_cpu_capability() == "AVX512"
