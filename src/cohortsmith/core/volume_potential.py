"""The geometry in which the shortest curve is the one that keeps to where another metric's volume is large."""

from functools import partial

import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry


def volume_potential(geometry: Geometry) -> Geometry:
    """Give V^2 I with V = (sqrt det G)^-1, under which the length of a curve is int V(c) |c'| dt (thesis eq. 3.8).

    Made for metrics that are large where the data are, as the posterior's (thesis eq. 3.6). Eq. 12 of the geometric
    perspective (2022) leaves |c'| out; its infimum is then reached by waiting at the best point, whatever the curve.
    """
    return Geometry(
        dimension=geometry.dimension,
        metric=lambda z: _scaled_identity(-2 * geometry.log_volume(z), z),
        inverse=lambda z: _scaled_identity(2 * geometry.log_volume(z), z),
        log_volume=lambda z: -geometry.dimension * geometry.log_volume(z),
        log_volume_and_gradient=partial(_log_volume_and_gradient, geometry),
        kinetic_gradient=partial(_kinetic_gradient, geometry),
    )


def _scaled_identity(log_scale: Tensor, z: Tensor) -> Tensor:
    return log_scale.exp()[:, None, None] * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)


def _log_volume_and_gradient(geometry: Geometry, z: Tensor) -> tuple[Tensor, Tensor]:
    volume, gradient = geometry.log_volume_and_gradient(z)
    return -geometry.dimension * volume, -geometry.dimension * gradient


def _kinetic_gradient(geometry: Geometry, z: Tensor, momentum: Tensor) -> Tensor:
    volume, gradient = geometry.log_volume_and_gradient(z)
    # Of 1/2 exp(2 log sqrt det G) |q|^2.
    return ((2 * volume).exp() * momentum.square().sum(-1)).unsqueeze(-1) * gradient
