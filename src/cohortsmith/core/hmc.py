"""Hamiltonian Monte Carlo with identity mass, many chains at once, on a density restricted to a set."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.noise import standard_normal, uniform

LogDensity = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Log-density, up to a constant, and its gradient: (C, d) -> (C,), (C, d)."""
Score = Callable[[Tensor], Tensor]
"""The gradient of the log-density alone: (C, d) -> (C, d)."""
Membership = Callable[[Tensor], Tensor]
"""Which points belong to the support: (C, d) -> (C,) bool."""


class ChainState(NamedTuple):
    """Where C chains are: position (C, d), and there log_density (C,) and its gradient (C, d)."""

    position: Tensor
    log_density: Tensor
    gradient: Tensor


class StepInfo(NamedTuple):
    """What one step threw away, per chain (C,): acceptance probability, energy error, whether it moved."""

    acceptance: Tensor
    energy_error: Tensor
    accepted: Tensor


Step = Callable[[ChainState, torch.Generator], tuple[ChainState, StepInfo]]


def init(position: Tensor, log_density: LogDensity) -> ChainState:
    """Start chains at position (C, d)."""
    return ChainState(position, *log_density(position))


def build_kernel(
    log_density: LogDensity, inside: Membership, step_size: float, n_leapfrog: int, score: Score | None = None
) -> Step:
    """Bind the target and the integrator: gives step(state, generator) -> (state, info).

    score: gives the gradient alone on the way to the end point, where that is cheaper than `log_density`.
    """
    way = score or (lambda position: log_density(position)[1])
    return partial(step, log_density=log_density, score=way, inside=inside, step_size=step_size, n_leapfrog=n_leapfrog)


def trajectory(
    state: ChainState, velocity: Tensor, log_density: LogDensity, score: Score, step_size: float, n_leapfrog: int
) -> tuple[ChainState, Tensor]:
    """Take n Stormer-Verlet steps of H = -log p(z) + |v|^2 / 2 (thesis eq. 1.9), two half kicks that meet as one."""
    velocity = velocity.add(state.gradient, alpha=0.5 * step_size)
    position = state.position.add(velocity, alpha=step_size)
    for _ in range(n_leapfrog - 1):
        velocity = velocity.add(score(position), alpha=step_size)
        position = position.add(velocity, alpha=step_size)
    end = init(position, log_density)
    return end, velocity.add(end.gradient, alpha=0.5 * step_size)


def step(
    state: ChainState,
    generator: torch.Generator,
    *,
    log_density: LogDensity,
    score: Score,
    inside: Membership,
    step_size: float,
    n_leapfrog: int,
) -> tuple[ChainState, StepInfo]:
    """Propose by `n_leapfrog` leapfrogs from a fresh velocity N(0, I); accept by Metropolis, never outside the set.

    Leaves p restricted to the set invariant: the end point alone decides, the way there may leave the set.
    """
    velocity = standard_normal(state.position, generator)
    end, end_velocity = trajectory(state, velocity, log_density, score, step_size, n_leapfrog)
    error = energy(end, end_velocity) - energy(state, velocity)
    acceptance = metropolis(-error) * inside(end.position)
    accepted = uniform(acceptance, generator) < acceptance
    return choose(accepted, end, state), StepInfo(acceptance, error, accepted)


def energy(state: ChainState, velocity: Tensor) -> Tensor:
    """Give H = -log p(z) + |v|^2 / 2 of each chain: (C,)."""
    return -state.log_density + 0.5 * velocity.square().sum(-1)


def metropolis(log_ratio: Tensor) -> Tensor:
    """Give min(1, exp(log_ratio)): (C,) -> (C,)."""
    # A difference, never a ratio of two exponentials; a proposal without an energy is refused.
    return torch.exp(log_ratio.clamp(max=0)).nan_to_num(0.0)


def choose(accepted: Tensor, end: ChainState, start: ChainState) -> ChainState:
    """Move the chains that accepted (C,) bool to the end, leave the others at the start."""
    column = accepted.unsqueeze(-1)
    return ChainState(
        torch.where(column, end.position, start.position),
        torch.where(accepted, end.log_density, start.log_density),
        torch.where(column, end.gradient, start.gradient),
    )
