"""A Riemannian random walk: chains that shoot geodesics at random and stay where the metric's volume is small.

The thesis (2.3, remark 3) argues that with small Sigma its rule samples sqrt det G^-1. A geodesic shot with a
velocity that is the same in all directions drifts, on average, by -1/2 Gamma^k_ij Sigma^ij, which is of the order of
what the rule corrects and so does not fade as Sigma shrinks. The rule is exact in that limit where G is a multiple of
I in two dimensions; on the line it samples det G^-1. `balanced` adds what the Metropolis-Hastings ratio lacks.
"""

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.exponential_map import N_STEPS, Shot, exponential_map, kinetic_energy, velocity_of
from cohortsmith.core.geometry import Geometry
from cohortsmith.core.hmc import ChainState, LogDensity, Membership, Step, StepInfo, choose, init, metropolis
from cohortsmith.core.noise import standard_normal, uniform


class Walk(NamedTuple):
    """How the walk shoots: velocities from N(0, Sigma), Sigma = F F^T with lower factor F (d, d), in n_steps each."""

    factor: Tensor
    n_steps: int = N_STEPS
    balanced: bool = False


def isotropic(scale: float, like: Tensor) -> Tensor:
    """Give the factor (d, d) of Sigma = scale^2 I for points like (C, d); scale in latent units."""
    return scale * torch.eye(like.shape[1], dtype=like.dtype, device=like.device)


def build_kernel(geometry: Geometry, log_density: LogDensity, inside: Membership, walk: Walk) -> Step:
    """Bind geometry, target and velocities: gives step(state, generator) -> (state, info).

    The thesis's target is that of `inverse_volume_density`.
    """
    return partial(step, geometry=geometry, log_density=log_density, inside=inside, walk=walk)


def step(
    state: ChainState,
    generator: torch.Generator,
    *,
    geometry: Geometry,
    log_density: LogDensity,
    inside: Membership,
    walk: Walk,
) -> tuple[ChainState, StepInfo]:
    """Shoot with v ~ N(0, Sigma); accept with min(1, p(z') / p(z)), never outside the set (thesis algorithm 3)."""
    velocity = standard_normal(state.position, generator) @ walk.factor.mT
    shot = exponential_map(geometry, state.position, velocity, walk.n_steps)
    end = init(shot.position, log_density)
    log_ratio = end.log_density - state.log_density
    if walk.balanced:
        log_ratio = log_ratio + log_proposal_ratio(geometry, state.position, velocity, shot, walk.factor)
    acceptance = metropolis(log_ratio) * inside(end.position)
    accepted = uniform(acceptance, generator) < acceptance
    return choose(accepted, end, state), StepInfo(acceptance, _drift(geometry, state, velocity, shot), accepted)


def log_proposal_ratio(geometry: Geometry, start: Tensor, velocity: Tensor, shot: Shot, factor: Tensor) -> Tensor:
    """Give log p(z' -> z) / p(z -> z') of the shots (C,): what Metropolis-Hastings asks for.

    The geodesic back leaves z' with -v', v' = G^-1(z') q'. The flow is symplectic, so d z' / d q and d z / d q' have
    the same determinant, and d q / d v = G: the densities of the proposals are N(v; 0, Sigma) / det G(z) over that
    determinant. Exact for exact geodesics.
    """
    arriving = velocity_of(geometry, shot.position, shot.momentum)
    volumes = 2 * (geometry.log_volume(start) - geometry.log_volume(shot.position))
    return volumes + _log_density(arriving, factor) - _log_density(velocity, factor)


def _log_density(velocity: Tensor, factor: Tensor) -> Tensor:
    whitened: Tensor = torch.linalg.solve_triangular(factor, velocity.mT, upper=False)
    constant = factor.diagonal().log().sum() + 0.5 * len(factor) * math.log(2 * math.pi)
    return -0.5 * whitened.square().sum(0) - constant


def _drift(geometry: Geometry, state: ChainState, velocity: Tensor, shot: Shot) -> Tensor:
    """Give the error in the energy that an exact geodesic would have kept: (C,)."""
    begun = 0.5 * torch.einsum("bi,bij,bj->b", velocity, geometry.metric(state.position), velocity)
    return kinetic_energy(geometry, shot.position, shot.momentum) - begun
