"""Laws that every builder of a geometry owes to its users."""

import math

import pytest
import torch
from known_geometries import constant_geometry, half_plane
from latent_fields import draw_field, draw_points

from cohortsmith.core.geometry import inner_product, speed
from cohortsmith.core.metric import learned_geometry
from cohortsmith.core.posterior_metric import PosteriorField, posterior_field, posterior_geometry
from cohortsmith.core.pullback_metric import pullback_geometry
from cohortsmith.core.radial_precision import RadialPrecision, radial_deviation

D = 3


def learned(dtype=torch.float64):
    field = draw_field(n=6, d=D)
    return learned_geometry(field._replace(centroids=field.centroids.to(dtype), factors=field.factors.to(dtype)))


def posterior(dtype=torch.float64):
    field = posterior_field(draw_points(6, D).to(dtype), draw_points(6, D, seed=2, scale=0.5).to(dtype), 0.1, 0.05)
    return posterior_geometry(field)


def pullback(dtype=torch.float64):
    first, second = draw_points(D, 7, seed=3).to(dtype), draw_points(7, 11, seed=4).to(dtype)
    network = RadialPrecision(
        draw_points(5, D, seed=5).to(dtype),
        torch.full((5,), 0.4, dtype=dtype),
        draw_points(5, 11, seed=6).exp().to(dtype),
        0.3,
    )
    return pullback_geometry(
        D, lambda z: torch.tanh(z @ first) @ second, lambda z: radial_deviation(network, z), points_at_once=3
    )


every_geometry = pytest.mark.parametrize("build", [learned, posterior, pullback])


@every_geometry
def test_the_inverse_undoes_the_metric(build):
    geometry, z = build(), draw_points(5, D, seed=7)
    identity = torch.eye(D, dtype=torch.float64).expand(5, D, D)
    torch.testing.assert_close(geometry.metric(z) @ geometry.inverse(z), identity, rtol=1e-9, atol=1e-9)


@every_geometry
def test_the_log_volume_is_half_the_log_determinant(build):
    geometry, z = build(), draw_points(5, D, seed=7)
    expected = 0.5 * torch.logdet(geometry.metric(z))
    torch.testing.assert_close(geometry.log_volume(z), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(geometry.log_volume_and_gradient(z)[0], expected, rtol=1e-9, atol=1e-9)


@every_geometry
def test_the_gradient_of_the_log_volume_is_that_of_finite_differences(build):
    geometry, z, h = build(), draw_points(5, D, seed=7), 1e-5
    gradient = geometry.log_volume_and_gradient(z)[1]
    for axis, shift in enumerate(h * torch.eye(D, dtype=torch.float64)):
        difference = (geometry.log_volume(z + shift) - geometry.log_volume(z - shift)) / (2 * h)
        torch.testing.assert_close(gradient[:, axis], difference, rtol=0, atol=1e-7)


def test_the_volume_gradient_alone_is_the_same_gradient():
    geometry, z = learned(), draw_points(5, D, seed=7)
    torch.testing.assert_close(geometry.volume_gradient(z), geometry.log_volume_and_gradient(z)[1], rtol=1e-12, atol=0)


@every_geometry
def test_the_kinetic_gradient_is_that_of_the_kinetic_energy(build):
    geometry, q, h = build(), draw_points(5, D, seed=8), 1e-5
    z = draw_points(5, D, seed=7)

    def kinetic(points):
        return 0.5 * torch.einsum("bi,bij,bj->b", q, geometry.inverse(points), q)

    found = geometry.kinetic_gradient(z, q)
    for axis, shift in enumerate(h * torch.eye(D, dtype=torch.float64)):
        difference = (kinetic(z + shift) - kinetic(z - shift)) / (2 * h)
        torch.testing.assert_close(found[:, axis], difference, rtol=1e-7, atol=1e-7)


@every_geometry
def test_the_kinetic_gradient_is_that_of_autograd(build):
    geometry, q = build(), draw_points(5, D, seed=8)
    z = draw_points(5, D, seed=7).requires_grad_()
    (expected,) = torch.autograd.grad(0.5 * torch.einsum("bi,bij,bj->", q, geometry.inverse(z), q), z)
    torch.testing.assert_close(geometry.kinetic_gradient(z.detach(), q), expected, rtol=1e-8, atol=1e-9)


@every_geometry
def test_a_curve_can_be_bent_by_differentiating_the_metric(build):
    geometry, v = build(), draw_points(5, D, seed=8)
    z = draw_points(5, D, seed=7).requires_grad_()
    (gradient,) = torch.autograd.grad(inner_product(geometry, z, v, v).sum(), z)
    shift = torch.tensor([1e-5, 0, 0], dtype=torch.float64)
    ahead, behind = (inner_product(geometry, z.detach() + sign * shift, v, v) for sign in (1, -1))
    torch.testing.assert_close(gradient[:, 0], (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-6)


@every_geometry
def test_single_precision_agrees_with_double_and_stays_single(build):
    single, double, z, q = build(torch.float32), build(), draw_points(5, D, seed=7), draw_points(5, D, seed=8)
    for name, arguments in (("metric", (z,)), ("inverse", (z,)), ("log_volume", (z,)), ("kinetic_gradient", (z, q))):
        found = getattr(single, name)(*(argument.float() for argument in arguments))
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), getattr(double, name)(*arguments), rtol=2e-4, atol=2e-4)


@every_geometry
def test_each_point_is_evaluated_on_its_own(build):
    geometry, z = build(), draw_points(7, D, seed=7)
    together, alone = geometry.log_volume_and_gradient(z)[1], geometry.log_volume_and_gradient(z[5:6])[1]
    torch.testing.assert_close(together[5:6], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("kind", ["learned", "posterior"])
def test_fifty_dimensions_in_single_precision_stay_finite(kind, scale):
    field = draw_field(n=40, d=50, regularization=1e-4)
    centroids, z = field.centroids.float(), draw_points(8, 50, scale=scale).float()
    build = {
        "learned": lambda: learned_geometry(field._replace(centroids=centroids, factors=0.1 * field.factors.float())),
        "posterior": lambda: posterior_geometry(PosteriorField(centroids, torch.full_like(centroids, 1e3), 5.0, 1e-4)),
    }[kind]
    volume, gradient = build().log_volume_and_gradient(z)
    assert torch.isfinite(volume).all()
    assert torch.isfinite(gradient).all()
    assert torch.isfinite(build().kinetic_gradient(z, torch.ones_like(z))).all()


def test_lengths_by_hand_in_a_constant_metric_and_the_half_plane():
    v = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    z = torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    assert speed(constant_geometry([[4.0, 0.0], [0.0, 1.0]]), z, v).item() == pytest.approx(math.sqrt(52))
    assert speed(half_plane(), z, v).item() == pytest.approx(2.5)
