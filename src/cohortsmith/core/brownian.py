"""Brownian motion on the latent manifold: many walkers from given points."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry
from cohortsmith.core.metric import log_root_determinant
from cohortsmith.core.noise import standard_normal


class Motion(NamedTuple):
    """Where C walkers ended, position (C, d), and the path (n_steps + 1, C, d) where kept."""

    position: Tensor
    path: Tensor | None = None


def brownian_motion(
    geometry: Geometry,
    start: Tensor,
    deviation: float | Tensor,
    n_steps: int,
    generator: torch.Generator,
    *,
    keep_path: bool = False,
) -> Motion:
    """Walk from start (C, d) in n_steps of covariance sigma^2 / n_steps G^-1 (Brownian prior 2020, eq. 3.15).

    deviation: sigma, the square root of the motion's duration, in the units of the metric's lengths; each walker's
    own where (C, 1). A walker becomes NaN where G^-1 is not positive definite.
    """
    position, path = start, [start]
    for _ in range(n_steps):
        position = brownian_step(geometry, position, deviation / math.sqrt(n_steps), generator)
        path = [*path, position] if keep_path else path
    return Motion(position, torch.stack(path) if keep_path else None)


def brownian_step(
    geometry: Geometry, position: Tensor, deviation: float | Tensor, generator: torch.Generator
) -> Tensor:
    """Move each walker (C, d) by N(0, deviation^2 G^-1), taken straight in the latent space."""
    volume, cholesky = log_root_determinant(geometry.inverse(position))
    moved = (cholesky @ standard_normal(position, generator).unsqueeze(-1)).squeeze(-1)
    return (position + deviation * moved).masked_fill(volume.isnan().unsqueeze(-1), torch.nan)
