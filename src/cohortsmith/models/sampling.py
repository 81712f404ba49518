"""Draw latent points by the learned geometry: HMC on sqrt(det G^-1) in a compact set, one chain per draw."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.config.generator import SamplerConfig
from cohortsmith.core import hmc
from cohortsmith.core.diagnostics import mixing, placement
from cohortsmith.core.metric import MetricField, expand, log_inverse_volume_and_gradient
from cohortsmith.core.support import Support, ball_around, contains, neighbourhood
from cohortsmith.errors import TrainingError


class Draws(NamedTuple):
    """Latent points (n, d), the end of one chain each, and what the chains did."""

    latents: Tensor
    diagnostics: dict[str, float]


class _Run(NamedTuple):
    state: hmc.ChainState
    trajectory: Tensor
    acceptance: float
    energy_error: float


def draw_latents(field: MetricField, config: SamplerConfig, generator: torch.Generator) -> Draws:
    """Draw `config.n_samples` points with density proportional to 1_S sqrt(det G^-1) (thesis eq. 1.8, 1.9).

    Raises:
        TrainingError: the chains accept less than `config.minimum_acceptance`.
    """
    support = support_of(field, config)
    run = _run_chains(field, support, config, generator)
    if run.acceptance < config.minimum_acceptance:
        raise _stuck(run.acceptance, config)
    latents = run.state.position
    void_beyond = config.void_distance * neighbourhood(field.centroids, field.temperature)
    mixed, placed = mixing(run.trajectory), placement(latents, field.centroids, void_beyond)
    diagnostics = {
        "acceptance": run.acceptance,
        "energy_error": run.energy_error,
        "support_radius": support.radius,
        **mixed._asdict(),
        **placed._asdict(),
    }
    return Draws(latents, diagnostics)


def support_of(field: MetricField, config: SamplerConfig) -> Support:
    """Give S: the thesis's ball, cut down to the neighbourhood of the centroids where the configuration asks so."""
    ball = ball_around(field.centroids, config.support_radius)
    if config.support_reach is None:
        return ball
    return ball._replace(reach=config.support_reach * neighbourhood(field.centroids, field.temperature))


def _run_chains(field: MetricField, support: Support, config: SamplerConfig, generator: torch.Generator) -> _Run:
    log_density = partial(log_inverse_volume_and_gradient, expand(field))
    step = hmc.build_kernel(log_density, partial(contains, support), config.step_size, config.n_leapfrog)
    chosen = torch.randint(len(field.centroids), (config.n_samples,), generator=generator)
    state = hmc.init(field.centroids[chosen], log_density)
    positions, acceptances, errors = [], [], []
    for _ in range(config.n_steps):
        state, info = step(state, generator)
        positions.append(state.position)
        acceptances.append(info.acceptance.mean().item())
        errors.append(info.energy_error.nan_to_num(torch.inf).abs().median().item())
    second_half = torch.stack(positions[len(positions) // 2 :])
    return _Run(state, second_half, _mean(acceptances), _mean(errors))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _stuck(acceptance: float, config: SamplerConfig) -> TrainingError:
    return TrainingError(
        "the chains that sample the latent space hardly move",
        where="sampler",
        got=f"acceptance {acceptance:.3f} at step size {config.step_size}, {config.n_leapfrog} leapfrogs",
        expected=f"at least {config.minimum_acceptance} (sampler.minimum_acceptance)",
        remedy="lower sampler.step_size; if that does not help, the learned metric is degenerate: look at the "
        "training curves, and train longer or with a larger rhvae.temperature",
    )
