"""What every sampler, curve and distance asks of a metric, whichever metric it is."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Geometry(NamedTuple):
    """A Riemannian metric G on the latent space R^d, as functions of many points at once.

    dimension: d. metric: z (B, d) -> G (B, d, d). inverse: z -> G^-1 (B, d, d).
    log_volume: z -> log sqrt det G (B,). log_volume_and_gradient: z -> the same and its exact gradient (B, d).
    kinetic_gradient: z, q (B, d) -> the gradient in z of 1/2 q^T G^-1(z) q (B, d), q a momentum.
    volume_gradient: z -> the gradient of log sqrt det G alone (B, d), where that is cheaper than with its value.
    """

    dimension: int
    metric: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    log_volume: Callable[[Tensor], Tensor]
    log_volume_and_gradient: Callable[[Tensor], tuple[Tensor, Tensor]]
    kinetic_gradient: Callable[[Tensor, Tensor], Tensor]
    volume_gradient: Callable[[Tensor], Tensor] | None = None


def inner_product(geometry: Geometry, z: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Give first^T G(z) second of tangent vectors (B, d) at z (B, d): (B,)."""
    return torch.einsum("bi,bij,bj->b", first, geometry.metric(z), second)


def speed(geometry: Geometry, z: Tensor, velocity: Tensor) -> Tensor:
    """Give the length sqrt(v^T G(z) v) of tangent vectors (B, d) at z (B, d): (B,)."""
    return inner_product(geometry, z, velocity, velocity).clamp(min=0).sqrt()
