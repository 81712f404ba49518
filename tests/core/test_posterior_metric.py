import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_fields import draw_points

from cohortsmith.core.posterior_metric import PosteriorField, posterior_field, posterior_geometry
from cohortsmith.errors import ConfigurationError


@settings(deadline=None, max_examples=40)
@given(n=st.integers(2, 7), d=st.integers(1, 5), seed=st.integers(0, 2**31), decay=st.sampled_from([0.0, 0.3]))
def test_the_metric_is_the_sum_of_the_formula(n, d, seed, decay):
    means, log_variances, z = draw_points(n, d, seed), draw_points(n, d, seed + 1), draw_points(3, d, seed + 2)
    field = posterior_field(means, log_variances, regularization=1e-2, decay=decay)
    expected = torch.zeros(3, d, d, dtype=torch.float64)
    for point in range(3):
        for mean, log_variance in zip(means, log_variances, strict=True):
            precision = torch.diag((-log_variance).exp())
            squared = (z[point] - mean) @ precision @ (z[point] - mean)
            expected[point] += precision * torch.exp(-squared / field.smoothing**2)
        floor = 1e-2 * torch.exp(-decay * z[point].square().sum())
        expected[point] += floor * torch.eye(d, dtype=torch.float64)
    torch.testing.assert_close(posterior_geometry(field).metric(z), expected, rtol=1e-9, atol=1e-12)


def test_the_smoothing_is_the_largest_distance_between_nearest_neighbours():
    means = torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]])
    assert posterior_field(means, torch.zeros(3, 2)).smoothing == pytest.approx(4.0)


@pytest.mark.parametrize("means", [torch.zeros(1, 2), torch.ones(3, 2)])
def test_means_without_neighbours_are_refused(means):
    with pytest.raises(ConfigurationError, match="how far apart"):
        posterior_field(means, torch.zeros_like(means))


def test_on_a_lone_mean_the_metric_is_its_precision_plus_the_floor():
    field = PosteriorField(torch.zeros(1, 2), torch.tensor([[4.0, 9.0]]), 1.0, 0.5)
    torch.testing.assert_close(
        posterior_geometry(field).metric(torch.zeros(1, 2))[0], torch.diag(torch.tensor([4.5, 9.5]))
    )


def test_far_from_every_mean_only_the_floor_is_left():
    field = PosteriorField(draw_points(4, 3).float(), torch.full((4, 3), 50.0), 1.0, 1e-4, decay=0.0)
    geometry, z = posterior_geometry(field), torch.full((1, 3), 1e3)
    torch.testing.assert_close(geometry.metric(z)[0], 1e-4 * torch.eye(3))
    volume, gradient = geometry.log_volume_and_gradient(z)
    assert volume.item() == pytest.approx(1.5 * math.log(1e-4))
    assert gradient.eq(0).all()


def test_a_floor_that_underflows_keeps_its_log_volume_and_gradient():
    field = PosteriorField(torch.zeros(1, 2), torch.full((1, 2), 50.0), 1.0, 1e-2, decay=1.0)
    volume, gradient = posterior_geometry(field).log_volume_and_gradient(torch.tensor([[12.0, 0.0]]))
    assert volume.item() == pytest.approx(math.log(1e-2) - 144)  # exp(-144) is below float32
    assert gradient[0].tolist() == pytest.approx([-24.0, 0.0])


def test_precise_posteriors_keep_their_digits_in_single_precision():
    means = 3 + draw_points(20, 4, scale=0.3)
    log_variances = torch.full((20, 4), math.log(1e-4), dtype=torch.float64)
    z = means + 1e-2 * draw_points(20, 4, seed=3)
    double = posterior_geometry(posterior_field(means.float().double(), log_variances))
    single = posterior_geometry(posterior_field(means.float(), log_variances.float()))
    volume = single.log_volume(z.float()).double()
    torch.testing.assert_close(volume, double.log_volume(z.float().double()), rtol=1e-5, atol=1e-5)


def test_a_curve_through_the_void_can_be_differentiated_where_the_kernels_underflow():
    field = PosteriorField(torch.zeros(1, 2), torch.full((1, 2), 50.0), 1.0, 1e-2, decay=0.1)
    z = torch.tensor([[12.0, 0.0]], requires_grad=True)
    geometry = posterior_geometry(field)
    (gradient,) = torch.autograd.grad(geometry.log_volume(z).sum(), z)
    torch.testing.assert_close(gradient, geometry.log_volume_and_gradient(z.detach())[1])
