"""The evidence lower bounds that the models are trained on, one draw per image."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.config.generator import RHVAEConfig
from cohortsmith.core import hamiltonian, riemannian
from cohortsmith.core.gaussian import divergence_from_standard_normal, log_standard_normal
from cohortsmith.core.metric import MetricKernels, expand
from cohortsmith.core.riemannian import Flow, Integrator, LogJoint
from cohortsmith.models.flow_settings import build_integrator
from cohortsmith.models.hvae import HVAE
from cohortsmith.models.networks import Decoder
from cohortsmith.models.rhvae import RHVAE
from cohortsmith.models.shared_weight import share
from cohortsmith.models.vae import VAE, Posterior
from cohortsmith.models.vamp_vae import VampVAE


class Noise(NamedTuple):
    """Standard normal draws that make z_0 (B, d) and gamma (B, d)."""

    latent: Tensor
    velocity: Tensor


class Bound(NamedTuple):
    """One draw of the bound per image, in nats.

    All (B,). reconstruction: log p(x | z_K). kl: KL(q(z_0 | x) | prior), in closed form where there is one.
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


def vae_bound(model: VAE, images: Tensor, noise: Noise, beta: float = 1.0) -> Bound:
    """Bound log p(x) of images (B, D) by the plain VAE, its KL in closed form and weighing `beta`."""
    posterior = model.posterior(images)
    reconstruction = model.log_likelihood(draw(posterior, noise.latent), images)
    kl = divergence(posterior)
    none = torch.zeros_like(kl)
    return Bound(reconstruction - beta * kl, reconstruction, kl, none, none)


def vamp_bound(model: VampVAE, images: Tensor, noise: Noise) -> Bound:
    """Bound log p(x) of images (B, D) under the mixture prior; its KL is the draw's log q(z | x) - log p(z)."""
    posterior = model.posterior(images)
    z = draw(posterior, noise.latent)
    reconstruction = model.log_likelihood(z, images)
    kl = log_posterior(posterior, noise.latent) - model.log_prior(z)
    none = torch.zeros_like(kl)
    return Bound(reconstruction - kl, reconstruction, kl, none, none)


def hvae_bound(model: HVAE, images: Tensor, noise: Noise, integrator: Integrator) -> Bound:
    """Bound log p(x) of images (B, D) by the Hamiltonian VAE."""
    posterior = model.posterior(images)
    start = draw(posterior, noise.latent)
    ended = hamiltonian.flow(joint(model, images), start, noise.velocity, integrator)
    return _flow_bound(ended, posterior, start, noise)


def rhvae_bound(model: RHVAE, images: Tensor, noise: Noise, integrator: Integrator) -> Bound:
    """Bound log p(x) of images (B, D) by the RHVAE; the batch's own means and factors make the metric (eq. 1.6)."""
    posterior = model.posterior(images)
    kernels = expand(model.field_at(posterior.mean, images))
    start = draw(posterior, noise.latent)
    ended = riemannian.flow(kernels, joint(model, images), start, noise.velocity, integrator)
    return _flow_bound(ended, posterior, start, noise)


def log_weights(model: VAE, images: Tensor, noise: Noise, kernels: MetricKernels | None = None) -> Tensor:
    """Give the logarithm of one unbiased estimate of p(x) per image (B, D) -> (B,).

    kernels: the fitted metric, which an RHVAE needs.
    """
    posterior = model.posterior(images)
    start = draw(posterior, noise.latent)
    if isinstance(model, RHVAE) and kernels is not None:
        ended = riemannian.flow(kernels, joint(model, images), start, noise.velocity, integrator_of(model))
    elif isinstance(model, HVAE):
        ended = hamiltonian.flow(joint(model, images), start, noise.velocity, integrator_of(model))
    else:
        prior = model.log_prior(start) if isinstance(model, VampVAE) else log_standard_normal(start)
        return model.log_likelihood(start, images) + prior - log_posterior(posterior, noise.latent)
    return log_weight(ended, posterior, noise.latent)


def integrator_of(model: RHVAE | HVAE, scale: float = 1.0) -> Integrator:
    """Give the flow's settings as the model has them, its step size times `scale`."""
    config = model.config
    iterations = config.fixed_point_iterations if isinstance(config, RHVAEConfig) else 0
    integrator = build_integrator(model.flow, config.n_leapfrog, config.step_size, iterations, config.sqrt_beta_zero)
    return integrator._replace(step_size=integrator.step_size * scale)


def log_weight(ended: Flow, posterior: Posterior, noise: Tensor) -> Tensor:
    """Give log p(x, z_K) + log N(v_K; 0, G(z_K)) - log q(z_0 | x) - log N(gamma; 0, G(z_0)): (B,)."""
    return ended.log_joint + ended.log_velocity_ratio - log_posterior(posterior, noise)


def log_posterior(posterior: Posterior, noise: Tensor) -> Tensor:
    """Give log q(z_0 | x) at the z_0 that `noise` (B, d) makes: (B,)."""
    return log_standard_normal(noise) - 0.5 * posterior.log_variance.sum(1)


def joint(model: VAE, images: Tensor) -> LogJoint:
    """Give z (B, d) -> log p(x, z) = log p(x | z) + log N(z; 0, I) (B,) for images (B, D)."""
    wide = share(model.decoder.logits.weight) if isinstance(model.decoder, Decoder) else None
    return lambda z: model.log_likelihood(z, images, wide) + log_standard_normal(z)


def draw(posterior: Posterior, noise: Tensor) -> Tensor:
    """Reparametrise standard normal noise (B, d) into z_0 (B, d)."""
    return posterior.mean + torch.exp(0.5 * posterior.log_variance) * noise


def divergence(posterior: Posterior) -> Tensor:
    """Give KL(N(mean, diag) | N(0, I)) in closed form: (B,)."""
    return divergence_from_standard_normal(*posterior)


def _flow_bound(ended: Flow, posterior: Posterior, start: Tensor, noise: Noise) -> Bound:
    return Bound(
        log_weight(ended, posterior, noise.latent),
        ended.log_joint - log_standard_normal(ended.position),
        divergence(posterior),
        ended.residual,
        (ended.position - start).detach().norm(dim=1),
    )
