"""log p(x) by importance sampling with any model's flow, in log-space and in bounded memory."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cohortsmith.core.metric import expand
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.batches import Images, read_batch, split_batches
from cohortsmith.models.fitted import FittedVAE, restore
from cohortsmith.models.objective import draw_noise, log_weights


class LogMarginal(NamedTuple):
    """An estimate of log p(x) per image, in nats, and its standard error (delta method; inf of one draw): both (n,)."""

    value: Tensor
    standard_error: Tensor


def log_marginal(
    fitted: FittedVAE, images: Images, n_draws: int, generator: torch.Generator, chunk: int = 2_000
) -> LogMarginal:
    """Estimate log p(x) of images (n, *shape) by `n_draws` importance samples each.

    chunk: flows held in memory at once, images times draws.

    Raises:
        ConfigurationError: an R-VAE, whose prior has no normalised density.
    """
    if fitted.config.kind == "r_vae":
        raise ConfigurationError(
            "log p(x) cannot be estimated for an R-VAE",
            where="generator.kind",
            got="r_vae, whose heat-kernel prior is not normalised",
            expected="one of: vae, beta_vae, vamp_vae, hvae, rhvae",
            remedy="compare bounds instead, or train another kind",
        )
    parts = [
        _log_marginal(fitted, read_batch(images, rows), n_draws, generator, chunk)
        for rows in split_batches(len(images), max(1, chunk // n_draws))
    ]
    return LogMarginal(torch.cat([part.value for part in parts]), torch.cat([part.standard_error for part in parts]))


@torch.no_grad()
def _log_marginal(
    fitted: FittedVAE, images: Tensor, n_draws: int, generator: torch.Generator, chunk: int
) -> LogMarginal:
    model, kernels = restore(fitted), expand(fitted.field) if fitted.field is not None else None
    total = images.new_full((len(images),), -math.inf)
    squares = total.clone()
    for draws in np.diff([*range(0, n_draws, max(1, chunk // len(images))), n_draws]):
        repeated = images.repeat_interleave(int(draws), dim=0)
        noise = draw_noise((len(repeated), fitted.config.latent_dim), generator)
        weights = log_weights(model, repeated, noise, kernels).reshape(len(images), int(draws))
        total = torch.logaddexp(total, weights.logsumexp(1))
        squares = torch.logaddexp(squares, (2 * weights).logsumexp(1))
    # Var(mean w) / mean(w)^2 = (sum w^2 / (sum w)^2 - 1/n) n / (n - 1)
    relative = (torch.exp(squares - 2 * total) - 1 / n_draws) * n_draws / max(1, n_draws - 1)
    error = relative.clamp(min=0).sqrt() if n_draws > 1 else torch.full_like(total, math.inf)
    return LogMarginal(total - math.log(n_draws), error)
