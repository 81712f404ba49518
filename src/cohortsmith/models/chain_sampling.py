"""Latent points at the ends of chains or walks that start at the codes and follow a geometry."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.config.generator import SamplerConfig
from cohortsmith.core import hmc, random_walk
from cohortsmith.core.brownian import brownian_motion
from cohortsmith.core.chains import Schedule, StepBuilder, run_chains
from cohortsmith.core.density import Target, inverse_volume_density, volume_density
from cohortsmith.core.diagnostics import diagnose
from cohortsmith.core.geometry import Geometry
from cohortsmith.core.metric import MetricField, learned_geometry
from cohortsmith.core.posterior_metric import posterior_field, posterior_geometry
from cohortsmith.core.support import Support, ball_around, neighbourhood
from cohortsmith.errors import ConfigurationError, TrainingError
from cohortsmith.models.fitted import FittedVAE
from cohortsmith.models.latent_geometry import pullback_geometry_of


class ChainDraws(NamedTuple):
    """Latent points (n, d) and what the chains did, by name."""

    latents: Tensor
    diagnostics: dict[str, float]


def draw_by_hmc(fitted: FittedVAE, config: SamplerConfig, n: int, generator: torch.Generator) -> ChainDraws:
    """Draw n points by Hamiltonian Monte Carlo in a compact set S, one chain each, started at random codes.

    hmc: on sqrt det G^-1 of the learned metric (thesis 1.8, 1.9). geometric: on sqrt det G of the posteriors' metric
    (geometric perspective 2022, algorithm 5), which any model with a Gaussian posterior has.
    """
    if config.kind == "geometric":
        geometry = posterior_geometry(posterior_field(*fitted.codes))
        support = support_of(fitted.codes.mean, 0.0, config)
        target = volume_density(geometry, support)
    else:
        field = learned_field(fitted, config.kind)
        geometry, support = learned_geometry(field), support_of(field.centroids, float(field.temperature), config)
        target = inverse_volume_density(geometry, support)
    build = partial(_hmc_step, target=target, n_leapfrog=config.n_leapfrog)
    return _run(build, target, support, config, n, generator)


def draw_by_random_walk(fitted: FittedVAE, config: SamplerConfig, n: int, generator: torch.Generator) -> ChainDraws:
    """Draw n points by the Riemannian random walk (thesis algorithm 3); `step_size` is the shots' scale."""
    field = learned_field(fitted, config.kind)
    geometry, support = learned_geometry(field), support_of(field.centroids, float(field.temperature), config)
    target = inverse_volume_density(geometry, support)
    build = partial(_walk_step, geometry=geometry, target=target, like=field.centroids)
    return _run(build, target, support, config, n, generator)


def draw_brownian(fitted: FittedVAE, config: SamplerConfig, n: int, generator: torch.Generator) -> ChainDraws:
    """Draw n points by Brownian motion under the decoder's pull-back metric (Brownian prior 2020, eq. 3.15).

    Walks start at random codes and last `duration`, in `n_steps` steps.
    """
    start = _starts(fitted.codes.mean, n, generator)
    geometry = pullback_geometry_of(fitted)
    ended = brownian_motion(geometry, start, config.duration**0.5, config.n_steps, generator).position
    if not torch.isfinite(ended).all():
        raise TrainingError(
            "walks through the latent space ended at no number",
            where="sampler.kind: brownian",
            got=f"{int((~torch.isfinite(ended)).any(1).sum())} of {n} walks",
            expected="a pull-back metric that can be inverted everywhere",
            remedy="shorten sampler.duration, raise sampler.n_steps, or use another sampler.kind",
        )
    return ChainDraws(ended, {})


def support_of(centroids: Tensor, temperature: float, config: SamplerConfig) -> Support:
    """Give S: the thesis's ball, cut down to the neighbourhood of the centroids where the configuration asks so."""
    ball = ball_around(centroids, config.support_radius)
    if config.support_reach is None:
        return ball
    return ball._replace(reach=config.support_reach * neighbourhood(centroids, temperature))


def learned_field(fitted: FittedVAE, kind: str) -> MetricField:
    """Give the learned metric's field.

    Raises:
        ConfigurationError: the model has learned none.
    """
    if fitted.field is None:
        raise ConfigurationError(
            "this model has no learned metric to sample by",
            where="sampler.kind",
            got=f"{kind}, with generator.kind {fitted.config.kind}",
            expected="generator.kind rhvae",
            remedy="set generator.kind: rhvae, or sampler.kind: geometric, which any model can",
        )
    return fitted.field


def _hmc_step(step_size: float, *, target: Target, n_leapfrog: int) -> hmc.Step:
    return hmc.build_kernel(target.log_density, target.inside, step_size, n_leapfrog, target.score)


def _walk_step(scale: float, *, geometry: Geometry, target: Target, like: Tensor) -> hmc.Step:
    walk = random_walk.Walk(random_walk.isotropic(scale, like))
    return random_walk.build_kernel(geometry, target.log_density, target.inside, walk)


def _run(
    build: StepBuilder, target: Target, support: Support, config: SamplerConfig, n: int, generator: torch.Generator
) -> ChainDraws:
    begin = hmc.init(_starts(support.centroids, n, generator), target.log_density)
    schedule = Schedule(config.n_warm_up, config.n_steps, target=config.target_acceptance)
    chains = run_chains(build, target.inside, begin, config.step_size, schedule, generator)
    acceptance = chains.acceptance.mean().item()
    if not acceptance >= config.minimum_acceptance:
        raise _stuck(acceptance, chains.step_size, config)
    return ChainDraws(chains.state.position, {**diagnose(chains)._asdict(), "support_radius": support.radius})


def _starts(codes: Tensor, n: int, generator: torch.Generator) -> Tensor:
    return codes[torch.randint(len(codes), (n,), generator=generator).to(codes.device)]


def _stuck(acceptance: float, step_size: float, config: SamplerConfig) -> TrainingError:
    return TrainingError(
        "the chains that sample the latent space hardly move",
        where="sampler",
        got=f"acceptance {acceptance:.3f} at step size {step_size:.3g}, {config.n_leapfrog} leapfrogs",
        expected=f"at least {config.minimum_acceptance} (sampler.minimum_acceptance)",
        remedy="lower sampler.step_size or let sampler.n_warm_up steps find it; if that does not help, the learned "
        "metric is degenerate: look at the training curves, and train longer or with a larger generator.temperature",
    )
