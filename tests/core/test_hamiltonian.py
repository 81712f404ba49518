import math

import pytest
import torch
from latent_fields import draw_points

from cohortsmith.core.gaussian import divergence_from_standard_normal, log_standard_normal
from cohortsmith.core.hamiltonian import flow
from cohortsmith.core.riemannian import Integrator

LOADING = torch.tensor([[1.0, 0.4], [-0.3, 0.8], [0.5, -1.0]], dtype=torch.float64)


def curved(z):
    return -0.5 * z.square().sum(1) + 0.3 * torch.sin(2 * z[:, 0]) * z[:, 1]


def linear_gaussian(image, z):
    """log p(x, z) of z ~ N(0, I), x | z ~ N(A z, 0.5 I)."""
    misfit = (image - z @ LOADING.T).square().sum(1) / 0.5
    return -0.5 * misfit - 1.5 * math.log(2 * math.pi * 0.5) + log_standard_normal(z)


def test_without_tempering_the_energy_is_kept_up_to_the_second_order_of_the_step():
    start, noise = draw_points(50, 2), draw_points(50, 2, seed=2)

    def error(step_size, n):
        ended = flow(curved, start, noise, Integrator(n, step_size, 0, 1.0))
        change = ended.log_joint + ended.log_velocity_ratio - curved(start)
        return change.abs().max().item()

    assert error(0.1, 10) / error(0.05, 20) == pytest.approx(4.0, rel=0.1)


def test_a_leapfrog_by_hand():
    # log p = -z^2 / 2: score -z. z = 1, v = 0.5, eps = 0.1.
    half = 0.5 - 0.05 * 1.0
    position = 1.0 + 0.1 * half
    velocity = half - 0.05 * position
    one = torch.ones(1, 1, dtype=torch.float64)
    ended = flow(log_standard_normal, one, 0.5 * one, Integrator(1, 0.1, 0, 1.0))
    assert ended.position.item() == pytest.approx(position)
    assert ended.log_velocity_ratio.item() == pytest.approx(0.5 * (0.5**2 - velocity**2))


@pytest.mark.statistical
@pytest.mark.parametrize("sqrt_beta_zero", [0.3, 1.0])
def test_importance_sampling_with_the_flow_is_exact_on_a_linear_gaussian_model(sqrt_beta_zero):
    image = torch.tensor([[0.7, -0.2, 1.1]], dtype=torch.float64)
    covariance = LOADING @ LOADING.T + 0.5 * torch.eye(3, dtype=torch.float64)
    expected = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(image)
    n = 40_000
    noise, gamma = draw_points(n, 2, seed=3), draw_points(n, 2, seed=4)
    start = 0.3 + 1.2 * noise
    log_q = log_standard_normal(noise) - 2 * math.log(1.2)
    ended = flow(lambda z: linear_gaussian(image, z), start, gamma, Integrator(3, 0.05, 0, sqrt_beta_zero))
    weights = (ended.log_joint + ended.log_velocity_ratio - log_q).exp()
    standard_error = weights.std() / weights.mean() / math.sqrt(n)
    assert (weights.mean().log() - expected).abs().item() < 4 * standard_error.item()


def test_a_flow_of_no_time_stays_where_it_is():
    start, noise = draw_points(4, 2), draw_points(4, 2, seed=2)
    ended = flow(curved, start, noise, Integrator(3, 1e-14, 0, 0.3))
    torch.testing.assert_close(ended.position, start)
    torch.testing.assert_close(ended.log_velocity_ratio, torch.zeros(4, dtype=torch.float64), atol=1e-10, rtol=0)


def test_gaussian_closed_forms_are_those_of_torch():
    z, log_variance = draw_points(5, 3), draw_points(5, 3, seed=2)
    normal = torch.distributions.Independent(torch.distributions.Normal(z, (0.5 * log_variance).exp()), 1)
    zeros = torch.zeros_like(z)
    standard = torch.distributions.Independent(torch.distributions.Normal(zeros, zeros + 1), 1)
    torch.testing.assert_close(log_standard_normal(z), standard.log_prob(z))
    expected = torch.distributions.kl_divergence(normal, standard)
    torch.testing.assert_close(divergence_from_standard_normal(z, log_variance), expected)
