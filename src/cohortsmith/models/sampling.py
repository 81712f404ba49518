"""Draw latent points from a fitted model: by the geometry of its latent space, or, to compare, by simpler laws."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.config.generator import SamplerConfig
from cohortsmith.core.diagnostics import placement
from cohortsmith.core.support import neighbourhood
from cohortsmith.models.chain_sampling import ChainDraws, draw_brownian, draw_by_hmc, draw_by_random_walk
from cohortsmith.models.direct_sampling import draw_from_gaussian_mixture, draw_from_prior, draw_from_vamp
from cohortsmith.models.fitted import FittedVAE

Sampler = Callable[[FittedVAE, SamplerConfig, int, torch.Generator], ChainDraws]
_SAMPLERS: dict[str, Sampler] = {
    "hmc": draw_by_hmc,
    "geometric": draw_by_hmc,
    "random_walk": draw_by_random_walk,
    "brownian": draw_brownian,
    "prior": draw_from_prior,
    "gaussian_mixture": draw_from_gaussian_mixture,
    "vamp": draw_from_vamp,
}
DRAWN_AT_ONCE = 2_000  # chains in memory: their trajectories take 16 MB at d = 10 and 200 steps
_WORST = {"r_hat": max, "nearest_centroid_max": max, "acceptance": min}


class Draws(NamedTuple):
    """Latent points (n, d) and what the sampler did; of chains, one per point, its end."""

    latents: Tensor
    diagnostics: dict[str, float]


def draw_latents(
    fitted: FittedVAE,
    config: SamplerConfig,
    generator: torch.Generator,
    on_block: Callable[[], None] | None = None,
) -> Draws:
    """Draw `config.n_samples` latent points, at most 2 000 at a time: memory does not grow with their number.

    on_block: told of each finished block.

    Raises:
        ConfigurationError: a sampler that this kind of model has no law for.
        TrainingError: chains that accept less than `config.minimum_acceptance`, or points that are not numbers.
    """
    blocks: list[ChainDraws] = []
    for begin in range(0, config.n_samples, DRAWN_AT_ONCE):
        size = min(DRAWN_AT_ONCE, config.n_samples - begin)
        blocks.append(_SAMPLERS[config.kind](fitted, config, size, generator))
        if on_block is not None:
            on_block()
    latents = torch.cat([block.latents for block in blocks])
    merged = _merge([block.diagnostics for block in blocks], [len(block.latents) for block in blocks])
    return Draws(latents, merged | _placed(latents, fitted, config))


def count_blocks(config: SamplerConfig) -> int:
    """Give the number of blocks that the draws are made in."""
    return math.ceil(config.n_samples / DRAWN_AT_ONCE)


def _placed(latents: Tensor, fitted: FittedVAE, config: SamplerConfig) -> dict[str, float]:
    centroids = fitted.codes.mean if fitted.field is None else fitted.field.centroids
    width = 0.0 if fitted.field is None else fitted.field.temperature
    void_beyond = config.void_distance * neighbourhood(centroids, float(width))
    return placement(latents, centroids, void_beyond)._asdict()


def _merge(parts: list[dict[str, float]], sizes: list[int]) -> dict[str, float]:
    """Merge blocks: the worst R-hat and acceptance, the sum of effective sample sizes, else the mean over points."""
    merged: dict[str, float] = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        if name in _WORST:
            merged[name] = _WORST[name](values)
        elif name == "effective_sample_size":
            merged[name] = sum(values)
        else:
            merged[name] = sum(value * size for value, size in zip(values, sizes, strict=True)) / sum(sizes)
    return merged
