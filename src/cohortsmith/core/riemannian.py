"""The Hamiltonian flow on the latent manifold: implicit generalised leapfrog with tempering, differentiable.

H(z, v) = -log p(x, z) + 1/2 log((2 pi)^d det G(z)) + 1/2 v^T G^-1(z) v  (thesis 1.3.2; RHVAE 2020, section 3).
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.metric import (
    LocalMetric,
    MetricKernels,
    apply_inverse,
    draw_velocity,
    inverse_metric,
    kernel_pull,
    local_metric,
    log_velocity_density,
)
from cohortsmith.core.tempering import square_root_schedule

LogJoint = Callable[[Tensor], Tensor]
"""log p(x, z) of each point for its own image: (B, d) -> (B,)."""


class Integrator(NamedTuple):
    """How the flow is solved; step_size in latent units of time."""

    n_leapfrog: int
    step_size: float | Tensor
    fixed_point_iterations: int
    sqrt_beta_zero: float | Tensor


class Here(NamedTuple):
    """All that the flow needs at one position: the metric, log p(x, z) (B,) and its score d/dz (B, d)."""

    metric: LocalMetric
    log_joint: Tensor
    score: Tensor


class Flow(NamedTuple):
    """Where the flow ended.

    position: (B, d) z_K. log_joint: (B,) log p(x, z_K).
    log_velocity_ratio: (B,) log N(v_K; 0, G(z_K)) - log N(gamma; 0, G(z_0)).
    residual: (B,) largest last change of a fixed-point iteration over the steps, 0 if solved exactly.
    """

    position: Tensor
    log_joint: Tensor
    log_velocity_ratio: Tensor
    residual: Tensor


def flow(kernels: MetricKernels, log_joint: LogJoint, start: Tensor, noise: Tensor, integrator: Integrator) -> Flow:
    """Carry z_0 (B, d) along the tempered flow from v_0 = gamma / sqrt(beta_0), gamma ~ N(0, G(z_0)).

    noise: (B, d) standard normal, of which gamma is made. The densities are of gamma *before* the scaling: its
    Jacobian and that of the K tempering steps cancel, and the leapfrog preserves volume, so that
    log_joint + log_velocity_ratio - log q(z_0 | x) is the logarithm of an unbiased estimate of p(x).
    """
    here = look(kernels, log_joint, start)
    gamma = draw_velocity(here.metric, noise)
    begun = log_velocity_density(here.metric, gamma)
    schedule = square_root_schedule(integrator.n_leapfrog, integrator.sqrt_beta_zero)
    velocity, residual = gamma / schedule[0], start.new_zeros(len(start))
    for before, after in pairwise(schedule):
        here, velocity, change = leapfrog(kernels, log_joint, here, velocity, integrator)
        velocity, residual = velocity * (before / after), torch.maximum(residual, change)
    ratio = log_velocity_density(here.metric, velocity) - begun
    return Flow(here.metric.position, here.log_joint, ratio, residual)


def leapfrog(
    kernels: MetricKernels, log_joint: LogJoint, here: Here, velocity: Tensor, integrator: Integrator
) -> tuple[Here, Tensor, Tensor]:
    """Take one implicit generalised leapfrog step (thesis eq. 1.5): gives the new place, velocity, residual (B,).

    Reversible and volume preserving as far as the fixed points are solved.
    """
    half, velocity_change = _half_kick(kernels, here, velocity, integrator)
    position, position_change = _drift(kernels, here, half, integrator)
    there = look(kernels, log_joint, position)
    kicked = half - 0.5 * integrator.step_size * energy_gradient(kernels, there, half)
    return there, kicked, torch.maximum(velocity_change, position_change)


def look(kernels: MetricKernels, log_joint: LogJoint, z: Tensor) -> Here:
    """Evaluate metric, log p(x, z) and score at z (B, d), once for all uses of this position."""
    value, score = value_and_score(log_joint, z)
    return Here(local_metric(kernels, z), value, score)


def value_and_score(log_joint: LogJoint, z: Tensor) -> tuple[Tensor, Tensor]:
    """Give log p(x, z) (B,) and its partial derivative in z (B, d), themselves differentiable unless under no_grad."""
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        point = z if differentiable and z.requires_grad else z.detach().requires_grad_()
        value = log_joint(point)
        (score,) = torch.autograd.grad(value.sum(), point, create_graph=differentiable)
    return (value, score) if differentiable else (value.detach(), score)


def energy_gradient(kernels: MetricKernels, here: Here, velocity: Tensor) -> Tensor:
    """Give the partial dH/dz (B, d) = -score + 1/T^2 sum_i w_i <v v^T - G, M_i> (c_i - z)."""
    outer = velocity.unsqueeze(-1) * velocity.unsqueeze(-2)
    return kernel_pull(kernels, here.metric, outer - here.metric.metric) - here.score


def energy(here: Here, velocity: Tensor) -> Tensor:
    """Give H(z, v): (B,)."""
    return -here.log_joint - log_velocity_density(here.metric, velocity)


def _half_kick(kernels: MetricKernels, here: Here, velocity: Tensor, integrator: Integrator) -> tuple[Tensor, Tensor]:
    half = last = velocity
    for _ in range(integrator.fixed_point_iterations):
        half, last = velocity - 0.5 * integrator.step_size * energy_gradient(kernels, here, half), half
    return half, _change(half, last)


def _drift(kernels: MetricKernels, here: Here, half: Tensor, integrator: Integrator) -> tuple[Tensor, Tensor]:
    start = here.metric.position
    begin = apply_inverse(here.metric.inverse, half)
    position, last = start + integrator.step_size * begin, start  # the first iteration, from z' = z
    for _ in range(integrator.fixed_point_iterations - 1):
        end = apply_inverse(inverse_metric(kernels, position), half)
        position, last = start + 0.5 * integrator.step_size * (begin + end), position
    return position, _change(position, last)


def _change(new: Tensor, old: Tensor) -> Tensor:
    change: Tensor = torch.linalg.vector_norm((new - old).detach(), dim=1)
    return change
