"""Latent points from laws that need no chain: the prior, a Gaussian mixture on the codes, a VAMP prior."""

import torch
from torch import Tensor

from cohortsmith.config.generator import SamplerConfig
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.chain_sampling import ChainDraws
from cohortsmith.models.fitted import FittedVAE, restore
from cohortsmith.models.r_vae import RVAE, draw_brownian_prior
from cohortsmith.models.vae import Posterior
from cohortsmith.models.vamp_vae import VampVAE


def draw_from_prior(fitted: FittedVAE, config: SamplerConfig, n: int, generator: torch.Generator) -> ChainDraws:
    """Draw n points from the model's own prior: N(0, I), or an R-VAE's Brownian motion."""
    del config
    model = restore(fitted)
    if isinstance(model, RVAE):
        return ChainDraws(draw_brownian_prior(model, n, generator), {})
    return ChainDraws(torch.randn(n, fitted.config.latent_dim, generator=generator), {})


def draw_from_gaussian_mixture(
    fitted: FittedVAE, config: SamplerConfig, n: int, generator: torch.Generator
) -> ChainDraws:
    """Draw n points from a Gaussian mixture fitted to the codes after training (Ghosh et al. 2020)."""
    from sklearn.mixture import GaussianMixture  # noqa: PLC0415  slow to import, and only wanted here

    seed = int(torch.randint(2**31, (), generator=generator))
    codes = fitted.codes.mean
    n_components = min(config.n_components, len(codes))
    mixture = GaussianMixture(n_components, random_state=seed).fit(codes.double().cpu().numpy())
    points, _ = mixture.sample(n)
    order = torch.randperm(n, generator=generator)  # scikit-learn gives them component by component
    return ChainDraws(torch.from_numpy(points).to(codes.dtype)[order], {})


def draw_from_vamp(fitted: FittedVAE, config: SamplerConfig, n: int, generator: torch.Generator) -> ChainDraws:
    """Draw n points from the learned mixture of posteriors.

    Raises:
        ConfigurationError: the model has no such prior.
    """
    del config
    model = restore(fitted)
    if not isinstance(model, VampVAE):
        raise ConfigurationError(
            "this model has no VAMP prior to sample",
            where="sampler.kind",
            got=f"vamp, with generator.kind {fitted.config.kind}",
            expected="generator.kind vamp_vae",
            remedy="set generator.kind: vamp_vae, or choose another sampler.kind",
        )
    with torch.no_grad():
        components = model.components()
    chosen = torch.randint(len(components.mean), (n,), generator=generator)
    return ChainDraws(_draw(components, chosen, generator), {})


def _draw(components: Posterior, chosen: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(len(chosen), components.mean.shape[1], generator=generator)
    return components.mean[chosen] + torch.exp(0.5 * components.log_variance[chosen]) * noise
