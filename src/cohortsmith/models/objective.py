"""The evidence lower bounds: of the plain VAE that warms up, and of the RHVAE (thesis eq. 1.6)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.metric import MetricKernels, expand
from cohortsmith.core.riemannian import Flow, Integrator, LogJoint, flow
from cohortsmith.models.rhvae import RHVAE, Posterior
from cohortsmith.models.shared_weight import share


class Noise(NamedTuple):
    """Standard normal draws that make z_0 (B, d) and gamma (B, d)."""

    latent: Tensor
    velocity: Tensor


class Bound(NamedTuple):
    """One draw of the bound per image, in nats.

    All (B,). reconstruction: log p(x | z_K). kl: KL(q(z_0 | x) | prior) in closed form.
    residual: of the flow's fixed points. shift: |z_K - z_0|.
    """

    elbo: Tensor
    reconstruction: Tensor
    kl: Tensor
    residual: Tensor
    shift: Tensor


def draw_noise(shape: tuple[int, int], generator: torch.Generator) -> Noise:
    """Draw the noise of one bound for a batch of `shape` (B, d)."""
    return Noise(torch.randn(shape, generator=generator), torch.randn(shape, generator=generator))


def vae_bound(model: RHVAE, images: Tensor, noise: Noise) -> Bound:
    """Bound log p(x) of images (B, D) by the plain VAE, its KL in closed form."""
    posterior = model.posterior(images)
    reconstruction = model.log_likelihood(draw(posterior, noise.latent), images)
    kl = divergence(posterior)
    none = torch.zeros_like(kl)
    return Bound(reconstruction - kl, reconstruction, kl, none, none)


def rhvae_bound(model: RHVAE, images: Tensor, noise: Noise, integrator: Integrator) -> Bound:
    """Bound log p(x) of images (B, D) by the RHVAE; the batch's own means and factors make the metric."""
    posterior = model.posterior(images)
    kernels = expand(model.field_at(posterior.mean, images))
    start = draw(posterior, noise.latent)
    ended = flow(kernels, joint(model, images), start, noise.velocity, integrator)
    return Bound(
        log_weight(ended, posterior, noise.latent),
        ended.log_joint - log_standard_normal(ended.position),
        divergence(posterior),
        ended.residual,
        (ended.position - start).detach().norm(dim=1),
    )


@torch.no_grad()
def log_marginal(
    model: RHVAE, kernels: MetricKernels, images: Tensor, n_draws: int, generator: torch.Generator
) -> Tensor:
    """Estimate log p(x) of images (B, D) -> (B,) by importance sampling with `n_draws` flows each (unbiased for p)."""
    posterior = model.posterior(images)
    weights = []
    for _ in range(n_draws):
        noise = draw_noise((posterior.mean.shape[0], posterior.mean.shape[1]), generator)
        start = draw(posterior, noise.latent)
        ended = flow(kernels, joint(model, images), start, noise.velocity, integrator_of(model))
        weights.append(log_weight(ended, posterior, noise.latent))
    return torch.logsumexp(torch.stack(weights), dim=0) - math.log(n_draws)


def integrator_of(model: RHVAE) -> Integrator:
    """Give the flow's settings as the model's configuration has them."""
    config = model.config
    return Integrator(config.n_leapfrog, config.step_size, config.fixed_point_iterations, config.sqrt_beta_zero)


def log_weight(ended: Flow, posterior: Posterior, noise: Tensor) -> Tensor:
    """Give log p(x, z_K) + log N(v_K; 0, G(z_K)) - log q(z_0 | x) - log N(gamma; 0, G(z_0)): (B,)."""
    log_q = log_standard_normal(noise) - 0.5 * posterior.log_variance.sum(1)
    return ended.log_joint + ended.log_velocity_ratio - log_q


def joint(model: RHVAE, images: Tensor) -> LogJoint:
    """Give z (B, d) -> log p(x, z) = log p(x | z) + log N(z; 0, I) (B,) for images (B, D)."""
    wide = share(model.decoder.logits.weight)
    return lambda z: model.log_likelihood(z, images, wide) + log_standard_normal(z)


def draw(posterior: Posterior, noise: Tensor) -> Tensor:
    """Reparametrise standard normal noise (B, d) into z_0 (B, d)."""
    return posterior.mean + torch.exp(0.5 * posterior.log_variance) * noise


def divergence(posterior: Posterior) -> Tensor:
    """Give KL(N(mean, diag) | N(0, I)) in closed form: (B,)."""
    mean, log_variance = posterior
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)


def log_standard_normal(z: Tensor) -> Tensor:
    """Give log N(z; 0, I): (B, d) -> (B,)."""
    return -0.5 * z.square().sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi)
