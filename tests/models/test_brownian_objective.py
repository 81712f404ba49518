import math

import pytest
import torch
from finite_differences import assert_exact
from known_geometries import constant_geometry, half_plane, half_plane_distance
from ring_images import RING, SHAPE, draw_ring

from cohortsmith.config.generator import NetworkConfig
from cohortsmith.core.geodesics import GeodesicSettings
from cohortsmith.core.pullback_metric import pullback_geometry
from cohortsmith.models import brownian_objective
from cohortsmith.models.brownian_objective import (
    autoencoder_bound,
    brownian_divergence,
    r_vae_bound,
    squared_distances_along,
    walk,
)
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.kinds import bound_of, enter_main
from cohortsmith.models.objective import Noise

SHEAR = torch.tensor([[1.0, 0.5], [-0.3, 2.0], [0.7, 0.1], [0.0, 1.2]], dtype=torch.float64)
N = 20_000
FINE = GeodesicSettings(n_control=8, max_iterations=100, tolerance=1e-10)


def build(**changes):
    """An R-VAE of six images that has just stopped being an autoencoder, in float64."""
    config = RING.model_copy(
        update={"n_centres": 5, "brownian_steps": 3, "network": NetworkConfig(hidden=(6,), activation="elu"), **changes}
    )
    model = build_model(config, SHAPE, torch.Generator().manual_seed(0), Appearance(torch.full(SHAPE, 0.3), 0.2))
    enter_main(model, draw_ring(6), 6, torch.Generator().manual_seed(1))
    return model.double()


def batch(n=6, seed=2):
    generator = torch.Generator().manual_seed(seed)
    latent, velocity = torch.randn(2, n, 2, generator=generator, dtype=torch.float64)
    return torch.from_numpy(draw_ring(6)[:n]).double().flatten(1), Noise(latent, velocity)


def linear_decoder():
    """z -> A z with the same deviation everywhere: the metric is A^T A, and a heat kernel is a normal law."""
    return pullback_geometry(2, lambda z: z @ SHEAR.mT, lambda z: torch.zeros_like(z[:, :1]), 100_000)


def estimate(start, duration, prior_centre, prior_duration):
    """Many draws of KL(q | p) for one posterior, on the linear decoder."""
    model = build(curve_points=2, curve_steps=0)
    model.prior_centre.copy_(prior_centre)
    model.log_prior_duration.data.fill_(math.log(prior_duration))
    starts, durations = start.repeat(N, 1), torch.full((N,), duration, dtype=torch.float64)
    noise = Noise(*torch.randn(2, N, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    with torch.no_grad():
        z = walk(linear_decoder(), starts, durations, 4, noise)
        return brownian_divergence(model, linear_decoder(), z, starts, durations)


@pytest.mark.statistical
@pytest.mark.parametrize(("duration", "prior_duration"), [(0.3, 0.3), (0.3, 1.1), (2.0, 0.9)])
@pytest.mark.parametrize("away", [0.0, 0.7])
def test_on_a_linear_decoder_the_divergence_is_that_of_two_normals(duration, prior_duration, away):
    start = torch.tensor([0.4, -0.2], dtype=torch.float64)
    centre, inverse = start + away, torch.linalg.inv(SHEAR.mT @ SHEAR)
    draws = estimate(start, duration, centre, prior_duration)
    normal = torch.distributions.MultivariateNormal
    exact = torch.distributions.kl_divergence(
        normal(start, duration * inverse), normal(centre, prior_duration * inverse)
    )
    assert (draws.mean() - exact).abs() <= 4 * draws.std() / math.sqrt(N) + 1e-12


@pytest.mark.statistical
def test_the_divergence_vanishes_where_posterior_and_prior_coincide():
    start = torch.tensor([0.4, -0.2], dtype=torch.float64)
    draws = estimate(start, 0.5, start, 0.5)
    torch.testing.assert_close(draws, torch.zeros_like(draws), atol=1e-12, rtol=0)
    assert estimate(start, 0.5, start + 0.5, 0.5).mean() > 0.1


def test_on_a_curved_surface_the_divergence_is_equation_3_8():
    model = build(curve_points=8, curve_steps=50)
    model.prior_centre.copy_(torch.tensor([0.5, 1.5]))
    model.log_prior_duration.data.fill_(math.log(0.7))
    z, start = (torch.tensor([pair], dtype=torch.float64) for pair in ([0.1, 0.9], [-0.2, 1.1]))
    found = brownian_divergence(model, half_plane(), z, start, torch.tensor([0.3], dtype=torch.float64))
    to_prior, to_posterior = (half_plane_distance(z, end).square().item() for end in (model.prior_centre[None], start))
    volumes = -2 * math.log(1.5) + 2 * math.log(1.1)  # sqrt det G = 1 / y^2
    expected = volumes + 0.5 * (to_prior / 0.7 - to_posterior / 0.3) + math.log(0.7 / 0.3)
    assert found.item() == pytest.approx(expected, rel=2e-3)


def test_where_the_decoder_is_flat_the_bound_is_no_number():
    model, (images, noise) = build(), batch()
    assert torch.isfinite(r_vae_bound(model, images, noise).elbo).all()
    model.decoder.logits.weight.data.zero_()
    model.bandwidth.zero_()
    assert r_vae_bound(model, images, noise).elbo.isnan().all()


@pytest.mark.statistical
def test_a_walk_spreads_by_its_own_duration():
    start, durations = torch.zeros(N, 2, dtype=torch.float64), torch.tensor([0.2, 1.8]).double().repeat(N // 2)
    noise = Noise(*torch.randn(2, N, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    z = walk(linear_decoder(), start, durations, 5, noise)
    for first, duration in enumerate((0.2, 1.8)):
        squares = (z[first::2] @ SHEAR.mT).square().sum(1)  # of mean d t
        assert (squares.mean() - 2 * duration).abs() < 4 * squares.std() / math.sqrt(N / 2)


def test_a_walk_is_a_function_of_its_noise():
    start, duration = torch.zeros(6, 2, dtype=torch.float64), torch.ones(6, dtype=torch.float64)
    first, again, other = (walk(linear_decoder(), start, duration, 3, batch(seed=seed)[1]) for seed in (2, 2, 3))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_squared_distances_are_those_of_the_hyperbolic_plane():
    first = torch.tensor([[0.0, 1.0], [0.3, 0.8]], dtype=torch.float64)
    second = torch.tensor([[1.5, 1.2], [0.3, 2.0]], dtype=torch.float64)
    found = squared_distances_along(half_plane(), first, second, FINE)
    torch.testing.assert_close(found, half_plane_distance(first, second).square(), rtol=1e-3, atol=0)
    straight = squared_distances_along(half_plane(), first, second, FINE._replace(max_iterations=0))
    assert (straight > found).all()


def test_their_gradient_in_the_ends_is_that_of_the_distance_although_the_bend_is_held_fixed():
    first = torch.tensor([[0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    second = torch.tensor([[1.5, 1.2]], dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(squared_distances_along(half_plane(), first, second, FINE).sum(), (first, second))
    exact = torch.autograd.grad(half_plane_distance(first, second).square().sum(), (first, second))
    torch.testing.assert_close(found, exact, rtol=1e-2, atol=1e-2)


def test_a_posterior_that_ends_where_it_began_has_a_gradient():
    point = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    squared = squared_distances_along(constant_geometry(torch.eye(2)), point, point.detach(), FINE)
    (gradient,) = torch.autograd.grad(squared.sum(), point)
    assert squared.item() == 0
    assert gradient.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(("curve_steps", "tolerance"), [(0, 1e-5), (300, 1e-3)])
def test_the_training_gradient_is_that_of_finite_differences_with_frozen_noise(monkeypatch, curve_steps, tolerance):
    monkeypatch.setattr(brownian_objective, "STRAIGHT_ENOUGH", 1e-10)
    model, (images, noise) = build(curve_steps=curve_steps), batch()
    learned = {"log_weights": model.log_weights, "log_prior_duration": model.log_prior_duration}
    learned |= {f"encoder.{name}": p for name, p in model.encoder.log_variance.named_parameters()}

    def loss():
        return -r_vae_bound(model, images, noise).elbo.mean()

    assert_exact(loss, learned, tolerance, 1e-5)


def test_no_gradient_reaches_the_means():
    model, (images, noise) = build(), batch()
    r_vae_bound(model, images, noise).elbo.sum().backward()
    moved = {name.rsplit(".", 1)[0] for name, p in model.named_parameters() if p.grad is not None}
    assert moved == {"log_weights", "log_prior_duration", "encoder.log_variance"}


def test_an_autoencoder_comes_first():
    model, (images, noise) = build(), batch()
    bound = bound_of(model, images, noise, "warm-up")
    assert torch.equal(bound.elbo, autoencoder_bound(model, images).reconstruction)
    assert bound.kl.tolist() == [0.0] * 6
    bound.elbo.sum().backward()
    still = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert still == {"log_weights", "log_prior_duration", "encoder.log_variance.weight", "encoder.log_variance.bias"}
    main = bound_of(model, images, noise, "main")
    torch.testing.assert_close(main.elbo, main.reconstruction - main.kl)
    assert (main.shift > 0).all()


def test_a_bound_does_not_depend_on_the_other_images_but_by_the_noise_they_share():
    model, (images, noise) = build(), batch()
    start, duration = (values.detach() for values in model.start_and_duration(images))
    z = start + 0.1 * noise.latent
    together = brownian_divergence(model, model.geometry(), z, start, duration)
    alone = brownian_divergence(model, model.geometry(), z[:1], start[:1], duration[:1])
    torch.testing.assert_close(together[:1], alone)
