import math
from functools import partial

import pytest
import torch
from latent_fields import draw_field, draw_points

from cohortsmith.core import hmc
from cohortsmith.core.density import inverse_volume_density
from cohortsmith.core.metric import learned_geometry, log_inverse_volume_and_gradient
from cohortsmith.core.support import Support, ball_around, contains


def gaussian(z):
    return -0.5 * z.square().sum(-1), -z


def flat(z):
    return z.new_zeros(len(z)), torch.zeros_like(z)


def anywhere(z):
    return torch.ones(len(z), dtype=torch.bool)


def run(step, state, n_steps, seed=0):
    generator, infos = torch.Generator().manual_seed(seed), []
    for _ in range(n_steps):
        state, info = step(state, generator)
        infos.append(info)
    return state, infos


def learned_density():
    """The law on a learned metric, and its trajectory with the score alone on the way."""
    target = inverse_volume_density(learned_geometry(draw_field()), Support(math.inf, draw_field().centroids))
    return target.log_density, partial(hmc.trajectory, log_density=target.log_density, score=target.score)


@pytest.mark.parametrize("n_leapfrog", [1, 4])
def test_a_trajectory_is_time_reversible(n_leapfrog):
    density, trajectory = learned_density()
    start, velocity = hmc.init(draw_points(5, 3), density), draw_points(5, 3, seed=2)
    there, arrived = trajectory(start, velocity, step_size=0.1, n_leapfrog=n_leapfrog)
    back, returned = trajectory(there, -arrived, step_size=0.1, n_leapfrog=n_leapfrog)
    torch.testing.assert_close(back.position, start.position, rtol=0, atol=1e-12)
    torch.testing.assert_close(-returned, velocity, rtol=0, atol=1e-12)


def test_half_kicks_that_meet_are_one_kick():
    density, trajectory = learned_density()
    state, velocity = hmc.init(draw_points(5, 3), density), draw_points(5, 3, seed=2)
    together, moving = trajectory(state, velocity, step_size=0.1, n_leapfrog=3)
    for _ in range(3):
        state, velocity = trajectory(state, velocity, step_size=0.1, n_leapfrog=1)
    torch.testing.assert_close((together, moving), (state, velocity), rtol=1e-10, atol=1e-10)


def test_halving_the_step_quarters_the_energy_error():
    density, trajectory = learned_density()
    start, velocity = hmc.init(draw_points(5, 3), density), draw_points(5, 3, seed=2)

    def error(step_size):
        state, moving = trajectory(start, velocity, step_size=step_size, n_leapfrog=round(1 / step_size))
        return (hmc.energy(state, moving) - hmc.energy(start, velocity)).abs().max()

    assert error(0.02) / error(0.01) == pytest.approx(4.0, rel=0.05)


@pytest.mark.statistical
def test_the_kernel_leaves_a_gaussian_invariant():
    n = 20_000
    step = hmc.build_kernel(gaussian, anywhere, 0.6, 3)
    state, infos = run(step, hmc.init(draw_points(n, 2), gaussian), 10)
    assert state.position.mean(0).abs().max() < 4 / math.sqrt(n)
    assert (state.position.var(0) - 1).abs().max() < 4 * math.sqrt(2 / n)
    assert (state.position.pow(4).mean(0) - 3).abs().max() < 4 * math.sqrt(96 / n)  # var z^4 = 105 - 9
    assert 0.7 < infos[-1].acceptance.mean() < 0.999  # or the accept step would not be tested


@pytest.mark.statistical
def test_the_kernel_leaves_the_uniform_law_of_a_disk_invariant_and_never_leaves_it():
    n, disk = 20_000, ball_around(torch.tensor([[1.0, 0.0]]), 1.0)
    angle, area = torch.rand(2, n, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    start = area.sqrt().unsqueeze(1) * torch.stack([(2 * math.pi * angle).cos(), (2 * math.pi * angle).sin()], 1)
    step = hmc.build_kernel(flat, partial(contains, disk), 0.2, 3)
    state, infos = run(step, hmc.init(start, flat), 10)
    squared = state.position.square().sum(1)  # |z|^2 is uniform on [0, 1]
    assert squared.max() <= 1
    assert abs(squared.mean() - 0.5) < 4 * math.sqrt(1 / 12 / n)
    assert abs(squared.square().mean() - 1 / 3) < 4 * math.sqrt(4 / 45 / n)
    assert infos[-1].accepted.double().mean() < 0.95  # the border was met


@pytest.mark.statistical
def test_chains_on_the_volume_density_agree_with_its_integral_on_a_grid():
    field = draw_field(n=3, d=2, spread=0.7)
    support = ball_around(field.centroids, 2.0)
    density = partial(log_inverse_volume_and_gradient, field)
    axis = torch.linspace(-support.radius, support.radius, 300, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    weight = density(grid)[0].exp() * contains(support, grid)
    expected = (weight @ grid) / weight.sum()
    step = hmc.build_kernel(density, partial(contains, support), 0.3, 5)
    state, _ = run(step, hmc.init(field.centroids[torch.arange(9000) % 3], density), 60)
    standard_error = state.position.std(0) / math.sqrt(9000)
    assert ((state.position.mean(0) - expected).abs() < 4 * standard_error).all()


def test_chains_never_leave_the_support():
    field = draw_field(d=2, spread=0.2, regularization=5.0)
    support = ball_around(field.centroids, 1.5)
    density = partial(log_inverse_volume_and_gradient, field)
    state, step = hmc.init(field.centroids, density), hmc.build_kernel(density, partial(contains, support), 0.3, 4)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        state, _ = step(state, generator)
        assert contains(support, state.position).all()


def test_a_proposal_without_an_energy_is_refused():
    def broken(z):
        return torch.full((len(z),), math.nan, dtype=z.dtype), -z

    start = hmc.ChainState(draw_points(4, 2), torch.zeros(4, dtype=torch.float64), draw_points(4, 2))
    state, info = hmc.build_kernel(broken, anywhere, 0.1, 2)(start, torch.Generator())
    assert torch.equal(state.position, start.position)
    assert info.acceptance.eq(0).all()
    assert not info.accepted.any()


def test_a_gain_in_density_is_always_accepted_even_where_an_exponential_would_overflow():
    steep = 1e6

    def cliff(z):
        return -steep * z.square().sum(-1), torch.zeros_like(z)  # free flight over a cliff

    start = hmc.init(torch.full((50, 1), 1e-9, dtype=torch.float64), cliff)
    _, info = hmc.build_kernel(cliff, anywhere, 1.0, 1)(start, torch.Generator().manual_seed(0))
    assert torch.isfinite(info.acceptance).all()
    high = hmc.ChainState(start.position, torch.full((50,), -1e9, dtype=torch.float64), start.gradient)
    assert hmc.build_kernel(cliff, anywhere, 1.0, 1)(high, torch.Generator().manual_seed(0))[1].accepted.all()


def test_same_seed_same_chain_and_another_seed_another():
    step = hmc.build_kernel(gaussian, anywhere, 0.3, 3)
    start = hmc.init(draw_points(5, 2), gaussian)
    first, again, other = (run(step, start, 3, seed)[0].position for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
