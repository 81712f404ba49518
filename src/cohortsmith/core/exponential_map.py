"""Where the geodesics lead that leave a point with a given velocity."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry

N_STEPS = 10  # sub-steps of a unit of time; the error falls with their square


class Shot(NamedTuple):
    """Where B geodesics ended: position (B, d), momentum (B, d), and the path (n_steps + 1, B, d) where kept."""

    position: Tensor
    momentum: Tensor
    path: Tensor | None = None


def exponential_map(
    geometry: Geometry, start: Tensor, velocity: Tensor, n_steps: int = N_STEPS, *, keep_path: bool = False
) -> Shot:
    """Follow the geodesics from start (B, d) with velocity (B, d) for a unit of time (thesis algorithm 2).

    Hamilton's equations of H = 1/2 q^T G^-1 q from the momentum q = G v, by the midpoint rule of second order.
    """
    position, momentum = start, _times(geometry.metric(start), velocity)
    path = [start]
    for _ in range(n_steps):
        position, momentum = midpoint_step(geometry, position, momentum, 1 / n_steps)
        path = [*path, position] if keep_path else path
    return Shot(position, momentum, torch.stack(path) if keep_path else None)


def midpoint_step(geometry: Geometry, position: Tensor, momentum: Tensor, dt: float) -> tuple[Tensor, Tensor]:
    """Take one Runge-Kutta step of second order, by the slope half-way (thesis algorithm 2): (B, d), (B, d)."""
    halfway = _moved(geometry, (position, momentum), (position, momentum), 0.5 * dt)
    return _moved(geometry, (position, momentum), halfway, dt)


def kinetic_energy(geometry: Geometry, position: Tensor, momentum: Tensor) -> Tensor:
    """Give H = 1/2 q^T G^-1 q, which a geodesic keeps: (B, d), (B, d) -> (B,)."""
    return 0.5 * (momentum * velocity_of(geometry, position, momentum)).sum(-1)


def velocity_of(geometry: Geometry, position: Tensor, momentum: Tensor) -> Tensor:
    """Give v = G^-1 q: (B, d), (B, d) -> (B, d)."""
    return _times(geometry.inverse(position), momentum)


def _moved(
    geometry: Geometry, origin: tuple[Tensor, Tensor], slope_at: tuple[Tensor, Tensor], dt: float
) -> tuple[Tensor, Tensor]:
    return (
        origin[0] + dt * velocity_of(geometry, *slope_at),
        origin[1] - dt * geometry.kinetic_gradient(*slope_at),
    )


def _times(matrices: Tensor, vectors: Tensor) -> Tensor:
    return (matrices @ vectors.unsqueeze(-1)).squeeze(-1)
