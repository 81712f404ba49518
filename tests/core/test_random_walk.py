import math

import pytest
import torch
from chain_laws import draws_on_a_grid, moments, worst_standard_error
from known_geometries import constant_geometry
from latent_fields import draw_field, draw_points

from cohortsmith.core import hmc
from cohortsmith.core.density import inverse_volume_density
from cohortsmith.core.exponential_map import exponential_map
from cohortsmith.core.metric import learned_geometry
from cohortsmith.core.random_walk import Walk, build_kernel, isotropic, log_proposal_ratio
from cohortsmith.core.support import Support, ball_around, contains


def few_steps(step, state, n, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        state, info = step(state, generator)
    return state, info


def isotropic_field():
    """Give a field whose metric is a multiple of I, for which the thesis's rule is exact in two dimensions."""
    sizes = torch.tensor([1.0, 1.5, 0.7], dtype=torch.float64)
    return draw_field(n=3, d=2, spread=0.7, regularization=0.1)._replace(
        factors=sizes[:, None, None] * torch.eye(2, dtype=torch.float64)
    )


def prepared(field):
    geometry, support = learned_geometry(field), ball_around(field.centroids, 2.0)
    return geometry, support, inverse_volume_density(geometry, support)


def walked(field, walk_of, n_chains, n_steps):
    """Give the weights of the grid's cells and the chains, begun in the target's law, after some steps."""
    geometry, support, target = prepared(field)
    start, grid, weights = draws_on_a_grid(target, support, n_chains)
    step = build_kernel(geometry, target.log_density, target.inside, walk_of(start))
    state, info = few_steps(step, hmc.init(start, target.log_density), n_steps)
    return state, info, grid, weights


@pytest.mark.statistical
def test_with_small_velocities_it_leaves_the_inverse_volume_law_invariant_where_the_metric_is_isotropic():
    state, info, grid, weights = walked(isotropic_field(), lambda z: Walk(isotropic(0.1, z), 2), 4000, 100)
    assert worst_standard_error(state.position, grid, weights) < 4
    assert info.accepted.double().mean() < 0.99


@pytest.mark.statistical
def test_elsewhere_the_drift_of_the_geodesics_biases_it():
    field = draw_field(n=3, d=2, spread=0.7, regularization=0.1)
    state, _, grid, weights = walked(field, lambda z: Walk(isotropic(0.1, z), 2), 4000, 100)
    assert worst_standard_error(state.position, grid, weights) > 7


@pytest.mark.statistical
def test_on_the_line_it_leaves_the_square_of_that_law_invariant():
    geometry, support, target = prepared(draw_field(n=3, d=1, spread=0.7, regularization=0.1))

    def squared(z):
        return tuple(2 * values for values in target.log_density(z))

    start, grid, weights = draws_on_a_grid(target._replace(log_density=squared), support, 4000)
    begin = hmc.init(start, target.log_density)
    state, _ = few_steps(
        build_kernel(geometry, target.log_density, target.inside, Walk(isotropic(0.1, start), 2)), begin, 150
    )
    assert worst_standard_error(state.position, grid, weights) < 4
    _, _, wanted = draws_on_a_grid(target, support, 1)
    assert worst_standard_error(state.position, grid, wanted) > 8


@pytest.mark.statistical
def test_balanced_it_leaves_that_law_invariant_in_any_metric_and_with_long_shots():
    field = draw_field(n=3, d=2, spread=0.7, regularization=0.1)
    state, info, grid, weights = walked(field, lambda z: Walk(isotropic(0.7, z), 10, balanced=True), 15_000, 8)
    assert worst_standard_error(state.position, grid, weights) < 4
    assert 0.3 < info.acceptance.mean() < 0.9


@pytest.mark.statistical
def test_it_agrees_with_hamiltonian_monte_carlo():
    geometry, _, target = prepared(isotropic_field())
    start = hmc.init(torch.zeros(1500, 2, dtype=torch.float64), target.log_density)
    walker, _ = few_steps(
        build_kernel(geometry, target.log_density, target.inside, Walk(isotropic(0.2, start.position), 2)), start, 400
    )
    rolled, _ = few_steps(hmc.build_kernel(target.log_density, target.inside, 0.25, 8, target.score), start, 60, seed=2)
    first, second = moments(walker.position), moments(rolled.position)
    standard_error = torch.sqrt((first.var(0) + second.var(0)) / 1500)
    assert ((first.mean(0) - second.mean(0)).abs() < 4 * standard_error).all()


def test_it_never_leaves_the_support():
    field = draw_field(d=2, spread=0.2, regularization=5.0)
    geometry, support, target = prepared(field)
    state = hmc.init(field.centroids, target.log_density)
    step = build_kernel(geometry, target.log_density, target.inside, Walk(isotropic(0.5, field.centroids), 3))
    generator, refused = torch.Generator().manual_seed(0), 0
    for _ in range(40):
        state, info = step(state, generator)
        assert contains(support, state.position).all()
        refused += int((~info.accepted).sum())
    assert refused > 0


@pytest.mark.statistical
def test_in_a_flat_metric_its_steps_have_the_covariance_asked_for():
    covariance = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
    geometry = constant_geometry([[3.0, 1.0], [1.0, 2.0]])
    target = inverse_volume_density(geometry, Support(1e9, torch.zeros(1, 2)))
    start = hmc.init(torch.zeros(50_000, 2, dtype=torch.float64), target.log_density)
    state, info = few_steps(
        build_kernel(geometry, target.log_density, target.inside, Walk(torch.linalg.cholesky(covariance), 2)), start, 1
    )
    assert info.accepted.all()
    assert info.energy_error.abs().max() < 1e-9
    outer = state.position.unsqueeze(-1) * state.position.unsqueeze(-2)
    assert ((outer.mean(0) - covariance).abs() < 4 * outer.std(0) / math.sqrt(50_000)).all()


def test_the_proposal_ratio_is_that_of_the_densities_of_the_shots():
    geometry = learned_geometry(draw_field(d=2))
    z, v = draw_points(1, 2, seed=3), draw_points(1, 2, seed=4, scale=0.3)
    factor = torch.tensor([[0.8, 0.0], [0.3, 0.5]], dtype=torch.float64)
    normal = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), scale_tril=factor)

    def log_density(start, velocity):
        spread = torch.func.jacrev(lambda u: exponential_map(geometry, start, u[None], 100).position[0])(velocity[0])
        return normal.log_prob(velocity) - torch.linalg.slogdet(spread).logabsdet

    shot = exponential_map(geometry, z, v, 100)
    back = -(geometry.inverse(shot.position) @ shot.momentum.unsqueeze(-1)).squeeze(-1)
    expected = log_density(shot.position, back) - log_density(z, v)
    torch.testing.assert_close(log_proposal_ratio(geometry, z, v, shot, factor), expected, rtol=1e-3, atol=1e-3)


def test_same_seed_same_walk_and_another_seed_another():
    field = draw_field(d=2)
    geometry, _, target = prepared(field)
    start = hmc.init(field.centroids, target.log_density)
    step = build_kernel(geometry, target.log_density, target.inside, Walk(isotropic(0.2, field.centroids), 3))
    first, again, other = (few_steps(step, start, 4, seed)[0].position for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
