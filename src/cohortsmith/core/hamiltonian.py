"""The tempered Hamiltonian flow in flat latent space: H(z, v) = -log p(x, z) + |v|^2 / 2 (Caterini et al. 2018)."""

from itertools import pairwise

import torch
from torch import Tensor

from cohortsmith.core.gaussian import log_standard_normal
from cohortsmith.core.riemannian import Flow, Integrator, LogJoint, value_and_score
from cohortsmith.core.tempering import square_root_schedule


def flow(log_joint: LogJoint, start: Tensor, noise: Tensor, integrator: Integrator) -> Flow:
    """Carry z_0 (B, d) along the tempered flow from v_0 = noise / sqrt(beta_0), noise (B, d) standard normal.

    The same convention as `riemannian.flow`, with G = I: densities of the velocity before the scaling. The leapfrog is
    explicit here, so nothing is left unsolved.
    """
    schedule = square_root_schedule(integrator.n_leapfrog, integrator.sqrt_beta_zero)
    step_size = integrator.step_size
    position, velocity = start, noise / schedule[0]
    value, score = value_and_score(log_joint, position)
    for before, after in pairwise(schedule):
        half = velocity + 0.5 * step_size * score
        position = position + step_size * half
        value, score = value_and_score(log_joint, position)
        velocity = (half + 0.5 * step_size * score) * (before / after)
    ratio = log_standard_normal(velocity) - log_standard_normal(noise)
    return Flow(position, value, ratio, torch.zeros_like(value))
