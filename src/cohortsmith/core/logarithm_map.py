"""With which velocity to leave a point so that the geodesic arrives at another: shooting until it hits."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.curves import sample
from cohortsmith.core.exponential_map import exponential_map
from cohortsmith.core.geodesics import DEFAULTS, GeodesicSettings, geodesics
from cohortsmith.core.geometry import Geometry

N_STEPS = 50  # of the exponential map
ROUNDS = 12
SHARES = (1.0, 0.5, 0.25, 0.1, 0.02, 0.0)  # of Newton's step: the one that lands nearest is taken, none at all if so


class Logarithm(NamedTuple):
    """The velocities (B, d) that lead from start to end in a unit of time, and by how much they miss (B,), |.|."""

    velocity: Tensor
    miss: Tensor


def logarithm_map(
    geometry: Geometry, start: Tensor, end: Tensor, settings: GeodesicSettings = DEFAULTS, n_steps: int = N_STEPS
) -> Logarithm:
    """Find v (B, d) with Exp_start(v) = end (B, d) by Newton's method, from the first velocity of a geodesic spline.

    The spline is close but for its ends, where it cannot bend. Where geodesics part quickly a miss may stay: look at
    it. The Riemannian length of v is the distance.
    """
    curves = geodesics(geometry, start, end, settings).curves
    with torch.no_grad():
        velocity = sample(curves, torch.zeros(1, dtype=start.dtype, device=start.device))[1][:, 0]
        for _ in range(ROUNDS):
            velocity = _nearer(geometry, start, end, velocity, n_steps)
        return Logarithm(velocity, _landed(geometry, start, velocity, n_steps).sub(end).norm(dim=1))


def _nearer(geometry: Geometry, start: Tensor, end: Tensor, velocity: Tensor, n_steps: int) -> Tensor:
    step = _newton_step(geometry, start, end, velocity, n_steps)
    trials = torch.stack([velocity + share * step for share in SHARES])
    copies = start.expand_as(trials)
    landed = _landed(geometry, copies.flatten(0, 1), trials.flatten(0, 1), n_steps).reshape(trials.shape)
    best = (landed - end).norm(dim=2).nan_to_num(torch.inf).argmin(dim=0)
    return trials[best, torch.arange(len(start), device=start.device)]


def _newton_step(geometry: Geometry, start: Tensor, end: Tensor, velocity: Tensor, n_steps: int) -> Tensor:
    """Solve J step = end - landed, J by one-sided differences: d + 1 shots side by side."""
    size = torch.finfo(start.dtype).eps ** 0.5 * velocity.norm(dim=1, keepdim=True).clamp(min=1e-3)
    axes = torch.eye(start.shape[1], dtype=start.dtype, device=start.device)
    shots = torch.stack([velocity, *(velocity + size * axis for axis in axes)])
    landed = _landed(geometry, start.expand_as(shots).flatten(0, 1), shots.flatten(0, 1), n_steps).reshape(shots.shape)
    slopes = ((landed[1:] - landed[0]) / size).permute(1, 2, 0)
    # solve_ex: a shot that went astray leaves its own velocity as it is, and the others alone.
    step: Tensor = torch.linalg.solve_ex(slopes, (end - landed[0]).unsqueeze(-1)).result.squeeze(-1)
    return torch.where(step.isfinite().all(dim=1, keepdim=True), step, 0.0)


def _landed(geometry: Geometry, start: Tensor, velocity: Tensor, n_steps: int) -> Tensor:
    return exponential_map(geometry, start, velocity, n_steps).position
