import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from latent_fields import draw_field, draw_points

from cohortsmith.core.metric import expand, log_inverse_volume
from cohortsmith.core.riemannian import (
    Integrator,
    energy,
    energy_gradient,
    flow,
    leapfrog,
    look,
    value_and_score,
)
from cohortsmith.core.tempering import square_root_schedule

KERNELS = expand(draw_field(n=5, d=2))
CONVERGED = Integrator(n_leapfrog=3, step_size=0.05, fixed_point_iterations=60, sqrt_beta_zero=0.3)
LOADING = torch.tensor([[1.0, 0.4], [-0.3, 0.8], [0.5, -1.0]], dtype=torch.float64)
VARIANCE = 0.5


def curved(z):
    return -0.5 * z.square().sum(1) + 0.3 * torch.sin(2 * z[:, 0]) * z[:, 1]


def linear_gaussian(image, z):
    """log p(x, z) of z ~ N(0, I), x | z ~ N(A z, 0.5 I)."""
    misfit = (image - z @ LOADING.T).square().sum(1) / VARIANCE
    constant = 2 * math.log(2 * math.pi) + 3 * math.log(2 * math.pi * VARIANCE)
    return -0.5 * (misfit + z.square().sum(1) + constant)


def true_energy(z, v):
    inverse_volume = log_inverse_volume(KERNELS, z)
    kinetic = 0.5 * torch.einsum("bi,bij,bj->b", v, look(KERNELS, curved, z).metric.inverse, v)
    return -curved(z) - inverse_volume + 0.5 * 2 * math.log(2 * math.pi) + kinetic


def step(z, v, integrator=CONVERGED):
    there, kicked, _ = leapfrog(KERNELS, curved, look(KERNELS, curved, z), v, integrator)
    return there.metric.position, kicked


def jacobian_log_determinant(phase_map, z, v):
    """log |det| of (z, v) -> (z', v') at one point."""
    d = z.shape[1]

    def joined(point):
        return torch.cat(phase_map(point[None, :d], point[None, d:]), dim=1)[0]

    jacobian = torch.autograd.functional.jacobian(joined, torch.cat([z, v], dim=1)[0])
    return torch.linalg.slogdet(jacobian).logabsdet.item()


def test_the_energy_is_the_hamiltonian_of_the_paper():
    z, v = draw_points(4, 2), draw_points(4, 2, seed=3)
    torch.testing.assert_close(energy(look(KERNELS, curved, z), v), true_energy(z, v))


def test_the_energy_gradient_is_the_partial_derivative_of_the_hamiltonian():
    z, v = draw_points(4, 2).requires_grad_(), draw_points(4, 2, seed=3)
    (expected,) = torch.autograd.grad(true_energy(z, v).sum(), z)
    found = energy_gradient(KERNELS, look(KERNELS, curved, z), v)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


def test_the_leapfrog_is_time_reversible():
    z, v = draw_points(6, 2), draw_points(6, 2, seed=3)
    there, arrived = step(z, v)
    back, returned = step(there, -arrived)
    torch.testing.assert_close(back, z, rtol=0, atol=1e-10)
    torch.testing.assert_close(-returned, v, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_leapfrog_preserves_volume(seed):
    found = jacobian_log_determinant(step, draw_points(1, 2, seed), draw_points(1, 2, seed + 10))
    assert abs(math.exp(found) - 1) <= 1e-6


def test_halving_the_step_quarters_the_energy_error():
    z, v = 0.5 * draw_points(6, 2), draw_points(6, 2, seed=3)

    def error(step_size):
        point, velocity = z, v
        for _ in range(round(0.4 / step_size)):
            point, velocity = step(point, velocity, CONVERGED._replace(step_size=step_size))
        return (true_energy(point, velocity) - true_energy(z, v)).detach().abs().max()

    assert error(0.01) / error(0.005) == pytest.approx(4.0, rel=0.05)


def test_the_residual_says_how_far_the_fixed_points_are_from_solved():
    here, v = look(KERNELS, curved, draw_points(6, 2)), draw_points(6, 2, seed=3)
    rough, fine = (
        leapfrog(KERNELS, curved, here, v, CONVERGED._replace(fixed_point_iterations=n))[2].max() for n in (3, 60)
    )
    assert rough > 1e-6
    assert fine < 1e-14


def test_position_and_momentum_both_solve_their_implicit_equations():
    z, v, h = draw_points(4, 2), draw_points(4, 2, seed=3), CONVERGED.step_size
    here = look(KERNELS, curved, z)
    there, kicked, _ = leapfrog(KERNELS, curved, here, v, CONVERGED)
    half = kicked + 0.5 * h * energy_gradient(KERNELS, there, kicked)
    for _ in range(60):  # kicked = half - h/2 dH/dz(z', half), solved for half
        half = kicked + 0.5 * h * energy_gradient(KERNELS, there, half)
    drift = ((here.metric.inverse + there.metric.inverse) @ half.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(half, v - 0.5 * h * energy_gradient(KERNELS, here, half), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(there.metric.position, z + 0.5 * h * drift, rtol=1e-9, atol=1e-9)


def test_one_fixed_point_iteration_of_the_position_is_the_explicit_step():
    z, v = draw_points(4, 2), draw_points(4, 2, seed=3)
    here, once = look(KERNELS, curved, z), CONVERGED._replace(fixed_point_iterations=1)
    there, _, _ = leapfrog(KERNELS, curved, here, v, once)
    half = v - 0.5 * once.step_size * energy_gradient(KERNELS, here, v)
    expected = z + once.step_size * (here.metric.inverse @ half.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(there.metric.position, expected)


def test_scaling_and_tempering_cancel_so_that_the_whole_flow_preserves_volume():
    schedule = square_root_schedule(3, 0.3)

    def whole(z, gamma):
        velocity = gamma / schedule[0]
        for before, after in pairwise(schedule):
            z, velocity = step(z, velocity)
            velocity = velocity * (before / after)
        return z, velocity

    found = jacobian_log_determinant(whole, draw_points(1, 2), draw_points(1, 2, seed=3))
    assert abs(math.exp(found) - 1) <= 1e-6


def test_without_time_the_flow_goes_nowhere_and_the_velocities_cancel():
    start = draw_points(4, 2)
    ended = flow(KERNELS, curved, start, draw_points(4, 2, seed=3), CONVERGED._replace(step_size=0.0))
    torch.testing.assert_close(ended.position, start)
    torch.testing.assert_close(ended.log_joint, curved(start))
    torch.testing.assert_close(ended.log_velocity_ratio, torch.zeros(4, dtype=torch.float64))


@pytest.mark.statistical
@pytest.mark.parametrize("sqrt_beta_zero", [0.3, 1.0])
def test_importance_weights_are_unbiased_on_a_linear_gaussian_model(sqrt_beta_zero):
    n, image = 40_000, torch.tensor([0.7, -0.4, 1.1], dtype=torch.float64)
    covariance = LOADING @ LOADING.T + VARIANCE * torch.eye(3, dtype=torch.float64)
    exact = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(image)
    mean, sd = torch.tensor([0.2, 0.1], dtype=torch.float64), 0.9
    noise = draw_points(n, 2)
    integrator = CONVERGED._replace(fixed_point_iterations=20, sqrt_beta_zero=sqrt_beta_zero)
    # A regularisation at which the fixed points converge for the fastest of 40 000 velocities too.
    tame = expand(draw_field(n=5, d=2, regularization=0.5))
    with torch.no_grad():
        ended = flow(tame, partial(linear_gaussian, image), mean + sd * noise, draw_points(n, 2, seed=3), integrator)
    log_q = -0.5 * noise.square().sum(1) - math.log(2 * math.pi) - 2 * math.log(sd)
    ratio = torch.exp(ended.log_joint + ended.log_velocity_ratio - log_q - exact)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / math.sqrt(n)
    assert 4 * ratio.std() / math.sqrt(n) < 0.1  # sharp enough to tell a missing Jacobian, exp(+-2.4)


def test_the_score_is_computed_once_per_distinct_position():
    calls = []

    def counted(z):
        calls.append(z)
        return curved(z)

    flow(KERNELS, counted, draw_points(4, 2), draw_points(4, 2, seed=3), CONVERGED)
    assert len(calls) == CONVERGED.n_leapfrog + 1


def test_the_flow_is_differentiated_exactly():
    integrator = CONVERGED._replace(fixed_point_iterations=3)
    noise = draw_points(3, 2, seed=3)

    def ended(start, centroids, products):
        found = flow(KERNELS._replace(centroids=centroids, products=products), curved, start, noise, integrator)
        return found.position, found.log_joint, found.log_velocity_ratio

    inputs = (draw_points(3, 2), KERNELS.centroids.clone(), KERNELS.products.clone())
    symmetric = inputs[2].reshape(5, 2, 2)
    torch.testing.assert_close(symmetric, symmetric.mT)
    factors = draw_field(n=5, d=2).factors

    def through_factors(start, centroids, factors):
        return ended(start, centroids, (factors @ factors.mT).flatten(1))

    wanted = [tensor.clone().requires_grad_() for tensor in (*inputs[:2], factors)]
    assert torch.autograd.gradcheck(through_factors, wanted, eps=1e-6, atol=1e-6)


def test_the_score_is_not_differentiable_without_grad_mode_and_is_the_same():
    z = draw_points(4, 2).requires_grad_()
    value, score = value_and_score(curved, z)
    with torch.no_grad():
        plain_value, plain_score = value_and_score(curved, z)
    assert score.requires_grad
    assert not plain_value.requires_grad
    assert not plain_score.requires_grad
    torch.testing.assert_close((plain_value, plain_score), (value.detach(), score.detach()))
