"""Random numbers for points on any device: drawn by a generator that lives on the CPU, then moved."""

import torch
from torch import Tensor


def standard_normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw N(0, 1) in the shape, type and place of `like`; the same numbers wherever that is."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)


def uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw from [0, 1) in the shape, type and place of `like`; the same numbers wherever that is."""
    return torch.rand(like.shape, generator=generator, dtype=like.dtype).to(like.device)
