import math

import pytest
import torch
from finite_differences import assert_exact
from tiny_rhvae import build_tiny, draw_batch
from torch.distributions import Independent, Normal, kl_divergence

from cohortsmith.core.gaussian import log_standard_normal
from cohortsmith.core.metric import expand
from cohortsmith.core.riemannian import flow
from cohortsmith.models.objective import (
    Noise,
    divergence,
    draw,
    integrator_of,
    joint,
    log_weight,
    rhvae_bound,
    vae_bound,
)
from cohortsmith.models.vae import Posterior


def normal(posterior):
    return Independent(Normal(posterior.mean, torch.exp(0.5 * posterior.log_variance)), 1)


def test_divergence_is_the_kl_of_the_two_normals():
    posterior = Posterior(*torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)))
    prior = Independent(Normal(torch.zeros(5, 3), 1.0), 1)
    torch.testing.assert_close(divergence(posterior), kl_divergence(normal(posterior), prior))
    torch.testing.assert_close(log_standard_normal(posterior.mean), prior.log_prob(posterior.mean))


def test_log_q_is_the_density_of_the_drawn_point():
    model, (images, noise) = build_tiny(), draw_batch()
    posterior = model.posterior(images)
    start = draw(posterior, noise.latent)
    ended = flow(expand(model.field(images)), joint(model, images), start, noise.velocity, integrator_of(model))
    expected = ended.log_joint + ended.log_velocity_ratio - normal(posterior).log_prob(start)
    torch.testing.assert_close(log_weight(ended, posterior, noise.latent), expected)


def test_without_time_the_bound_of_the_rhvae_is_that_of_the_vae_in_expectation():
    model, (images, _) = build_tiny(step_size=1e-12), draw_batch()
    generator = torch.Generator().manual_seed(3)
    flows, plain = [], []
    with torch.no_grad():
        for _ in range(400):
            noise = Noise(*torch.randn(2, 4, 2, generator=generator, dtype=torch.float64))
            flows.append(rhvae_bound(model, images, noise, integrator_of(model)).elbo)
            plain.append(vae_bound(model, images, noise).elbo)
    difference = torch.stack(flows) - torch.stack(plain)
    assert (difference.mean(0).abs() < 4 * difference.std(0) / math.sqrt(400)).all()


@pytest.mark.parametrize("changes", [{}, {"likelihood": "bernoulli"}, {"learned_variance": True}])
def test_the_training_gradient_is_that_of_finite_differences_with_frozen_noise(changes):
    model, (images, noise) = build_tiny(**changes), draw_batch()
    learned = {name: one for name, one in model.named_parameters() if one.requires_grad}

    def loss():
        return -rhvae_bound(model, images, noise, integrator_of(model)).elbo.mean()

    assert_exact(loss, learned)


def test_every_part_learns_from_the_flow():
    model, (images, noise) = build_tiny(), draw_batch()
    rhvae_bound(model, images, noise, integrator_of(model)).elbo.sum().backward()
    still = [name for name, p in model.named_parameters() if p.requires_grad and not p.grad.abs().sum() > 0]
    assert still == []


def test_the_batch_itself_makes_the_metric():
    model, (images, noise) = build_tiny(), draw_batch()
    together = rhvae_bound(model, images, noise, integrator_of(model)).elbo[:2]
    apart = rhvae_bound(model, images[:2], Noise(noise.latent[:2], noise.velocity[:2]), integrator_of(model)).elbo
    assert not torch.allclose(together, apart)


def test_the_same_noise_gives_the_same_bound_and_other_noise_another():
    model, (images, noise) = build_tiny(), draw_batch()
    first, again = (rhvae_bound(model, images, noise, integrator_of(model)).elbo for _ in range(2))
    other = rhvae_bound(model, images, draw_batch(seed=5)[1], integrator_of(model)).elbo
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
