import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_fields import draw_field, draw_points, published, published_field

from cohortsmith.core.metric import (
    MetricField,
    draw_velocity,
    expand,
    inverse_metric,
    learned_geometry,
    local_metric,
    log_inverse_volume,
    log_inverse_volume_and_gradient,
    log_velocity_density,
    thin,
)

sizes = {"n": st.integers(1, 7), "d": st.integers(1, 6), "seed": st.integers(0, 2**31)}


@settings(deadline=None, max_examples=50)
@given(**sizes)
def test_inverse_metric_is_symmetric_and_bounded_below_by_lambda(n, d, seed):
    inverse = inverse_metric(draw_field(n, d, seed), draw_points(4, d, seed + 1))
    torch.testing.assert_close(inverse, inverse.mT)
    assert torch.linalg.eigvalsh(inverse).min() >= 1e-2 - 1e-12


@settings(deadline=None, max_examples=50)
@given(**sizes)
def test_inverse_metric_is_the_sum_of_the_formula(n, d, seed):
    field, z = draw_field(n, d, seed), draw_points(3, d, seed + 1)
    expected = torch.zeros(3, d, d, dtype=torch.float64)
    for point in range(3):
        for centroid, factor in zip(field.centroids, field.factors, strict=True):
            kernel = torch.exp(-(z[point] - centroid).square().sum() / field.temperature**2)
            expected[point] += kernel * factor @ factor.T
        expected[point] += field.regularization * torch.eye(d, dtype=torch.float64)
    torch.testing.assert_close(inverse_metric(field, z), expected, rtol=1e-10, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(**sizes)
def test_gradient_of_the_log_volume_is_that_of_autograd(n, d, seed):
    field, z = draw_field(n, d, seed), draw_points(4, d, seed + 1).requires_grad_()
    volume, gradient = log_inverse_volume_and_gradient(field, z)
    (expected,) = torch.autograd.grad(log_inverse_volume(field, z).sum(), z)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(volume, log_inverse_volume(field, z))


def test_gradient_of_the_log_volume_is_that_of_finite_differences():
    field, z, h = draw_field(), draw_points(5, 3), 1e-5
    gradient = log_inverse_volume_and_gradient(field, z)[1]
    for axis, shift in enumerate(h * torch.eye(3, dtype=torch.float64)):
        difference = (log_inverse_volume(field, z + shift) - log_inverse_volume(field, z - shift)) / (2 * h)
        torch.testing.assert_close(gradient[:, axis], difference, rtol=0, atol=1e-7)


def test_far_from_every_centroid_the_metric_is_flat():
    inverse = inverse_metric(draw_field(d=3), torch.full((1, 3), 100.0, dtype=torch.float64))
    torch.testing.assert_close(inverse[0], 1e-2 * torch.eye(3, dtype=torch.float64))


def test_one_centroid_with_unit_factor_by_hand():
    field = MetricField(torch.zeros(1, 2), torch.eye(2).unsqueeze(0), 2.0, 0.5)
    volume, gradient = log_inverse_volume_and_gradient(field, torch.tensor([[2.0, 0.0]]))
    weight = math.exp(-1)  # |z|^2 / T^2 = 1
    assert volume.item() == pytest.approx(math.log(weight + 0.5), rel=1e-6)
    # d/dz of log(w + lambda), w = exp(-z^2 / 4): w' / (w + lambda) = -z/2 w / (w + lambda)
    assert gradient[0].tolist() == pytest.approx([-weight / (weight + 0.5), 0.0], rel=1e-6)


@settings(deadline=None, max_examples=25)
@given(**sizes)
def test_moving_field_and_point_together_changes_nothing(n, d, seed):
    field, z, shift = draw_field(n, d, seed), draw_points(4, d, seed + 1), draw_points(1, d, seed + 2)
    moved = field._replace(centroids=field.centroids + shift)
    torch.testing.assert_close(log_inverse_volume(moved, z + shift), log_inverse_volume(field, z))


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_log_volume_stays_finite_where_the_determinant_underflows(scale):
    field = draw_field(n=40, d=50, regularization=1e-4)
    field = field._replace(centroids=field.centroids.float(), factors=0.1 * field.factors.float())
    z = draw_points(8, 50, scale=scale).float()
    volume, gradient = log_inverse_volume_and_gradient(field, z)
    assert torch.isfinite(volume).all()
    assert torch.isfinite(gradient).all()


def test_a_determinant_would_have_underflowed():
    inverse = inverse_metric(draw_field(n=2, d=50, regularization=1e-4, spread=9.0), draw_points(3, 50)).float()
    assert torch.linalg.det(inverse).eq(0).all()


def test_a_point_without_a_metric_is_not_a_number_and_leaves_the_others_alone():
    field, z = draw_field(), draw_points(2, 3)
    z[0] = math.nan
    assert log_inverse_volume(field, z).isnan().tolist() == [True, False]


def test_expanding_once_gives_the_same_metric():
    field, z = draw_field(), draw_points(4, 3)
    torch.testing.assert_close(inverse_metric(expand(field), z), inverse_metric(field, z), rtol=0, atol=0)


def test_a_thinned_field_is_that_of_the_kept_centroids():
    field, z = draw_field(n=6), draw_points(4, 3)
    kept = MetricField(field.centroids[[0, 4]], field.factors[[0, 4]], field.temperature, field.regularization)
    assert torch.equal(inverse_metric(thin(field, torch.tensor([0, 4])), z), inverse_metric(kept, z))


def test_learned_temperature_and_regularization_receive_gradients():
    field = draw_field()
    temperature, regularization = (
        torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for value in (field.temperature, field.regularization)
    )
    learned = field._replace(temperature=temperature, regularization=regularization)
    z = draw_points(4, 3)
    torch.testing.assert_close(inverse_metric(learned, z), inverse_metric(field, z), rtol=0, atol=0)
    log_inverse_volume(learned, z).sum().backward()
    wider, higher = (
        field._replace(**{name: getattr(field, name) + 1e-6}) for name in ("temperature", "regularization")
    )
    for parameter, shifted in ((temperature, wider), (regularization, higher)):
        difference = (log_inverse_volume(shifted, z) - log_inverse_volume(field, z)).sum() / 1e-6
        torch.testing.assert_close(parameter.grad, difference, rtol=1e-3, atol=1e-3)


def test_metric_and_its_inverse_undo_each_other():
    here = local_metric(draw_field(), draw_points(4, 3))
    identity = torch.eye(3, dtype=torch.float64).expand(4, 3, 3)
    torch.testing.assert_close(here.metric @ here.inverse, identity, rtol=1e-9, atol=1e-9)


@pytest.mark.statistical
def test_drawn_velocities_have_covariance_g():
    here = local_metric(draw_field(), draw_points(1, 3).expand(200_000, 3))
    velocity = draw_velocity(here, draw_points(200_000, 3, seed=5))
    outer = velocity.unsqueeze(-1) * velocity.unsqueeze(-2)
    standard_error = outer.std(0) / math.sqrt(200_000)
    assert ((outer.mean(0) - here.metric[0]).abs() < 4 * standard_error).all()


def test_velocity_density_is_the_normal_density_with_covariance_g():
    here, velocity = local_metric(draw_field(), draw_points(4, 3)), draw_points(4, 3, seed=9)
    zero = torch.zeros(3, dtype=torch.float64)
    expected = torch.distributions.MultivariateNormal(zero, covariance_matrix=here.metric).log_prob(velocity)
    torch.testing.assert_close(log_velocity_density(here, velocity), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.real_data
class TestTheAuthorsPublishedModel:
    @pytest.fixture
    def oracle(self, shared):
        return published(shared)

    @pytest.fixture
    def field(self, oracle):
        return published_field(oracle)

    def test_inverse_metric(self, oracle, field):
        inverse = inverse_metric(field, torch.from_numpy(oracle["z"]).double())
        np.testing.assert_allclose(inverse, oracle["G_inv_f64"], rtol=1e-6, atol=1e-6)

    def test_log_determinant(self, oracle, field):
        volume = log_inverse_volume(field, torch.from_numpy(oracle["z"]).double())
        np.testing.assert_allclose(-2 * volume, oracle["log_det_G_f64"], rtol=1e-6, atol=1e-6)

    def test_gradient(self, oracle, field):
        gradient = log_inverse_volume_and_gradient(field, torch.from_numpy(oracle["z"]).double())[1]
        np.testing.assert_allclose(gradient, oracle["grad_autograd_f64"], rtol=1e-6, atol=1e-6)

    def test_the_geometry_of_the_field_says_the_same(self, oracle, field):
        geometry, z = learned_geometry(field), torch.from_numpy(oracle["z"]).double()
        volume, gradient = geometry.log_volume_and_gradient(z)
        np.testing.assert_allclose(2 * volume, oracle["log_det_G_f64"], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(-gradient, oracle["grad_autograd_f64"], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(geometry.metric(z), np.linalg.inv(oracle["G_inv_f64"]), rtol=1e-6, atol=1e-4)
