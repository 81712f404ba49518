import pytest
import torch
from chain_laws import draws_on_a_grid, worst_standard_error
from latent_fields import draw_field, draw_points

from cohortsmith.core import hmc
from cohortsmith.core.density import inverse_volume_density, volume_density
from cohortsmith.core.metric import learned_geometry, log_inverse_volume_and_gradient
from cohortsmith.core.posterior_metric import posterior_field, posterior_geometry
from cohortsmith.core.support import ball_around

FIELD = draw_field(n=3, d=2, spread=0.7)


def learned():
    return inverse_volume_density(learned_geometry(FIELD), ball_around(FIELD.centroids, 2.0)), FIELD.centroids


def posterior():
    means = draw_points(6, 2)
    field = posterior_field(means, draw_points(6, 2, seed=2, scale=0.3) - 0.5, regularization=0.1)
    return volume_density(posterior_geometry(field), ball_around(means, 2.0)), means


def test_the_inverse_volume_law_is_that_of_the_field_in_closed_form():
    z = draw_points(5, 2)
    found, expected = learned()[0].log_density(z), log_inverse_volume_and_gradient(FIELD, z)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_the_two_laws_are_each_others_inverse():
    geometry, support, z = learned_geometry(FIELD), ball_around(FIELD.centroids, 2.0), draw_points(5, 2)
    more, less = volume_density(geometry, support), inverse_volume_density(geometry, support)
    for first, second in zip(more.log_density(z), less.log_density(z), strict=True):
        assert torch.equal(first, -second)


def test_the_set_is_the_support():
    target, centroids = learned()
    radius = 2 * centroids.norm(dim=1).max()
    points = torch.stack([torch.stack([share * radius, 0 * radius]) for share in (0.99, 1.01)])
    assert target.inside(points).tolist() == [True, False]


@pytest.mark.statistical
@pytest.mark.parametrize("build", [learned, posterior])
def test_hamiltonian_chains_leave_the_law_invariant_and_never_leave_the_set(build):
    target, centroids = build()
    start, grid, weights = draws_on_a_grid(target, ball_around(centroids, 2.0), 10_000)
    state, step = (
        hmc.init(start, target.log_density),
        hmc.build_kernel(target.log_density, target.inside, 0.4, 4, target.score),
    )
    generator = torch.Generator().manual_seed(1)
    for _ in range(10):
        state, info = step(state, generator)
    assert worst_standard_error(state.position, grid, weights) < 4
    assert target.inside(state.position).all()
    assert 0.5 < info.acceptance.mean() < 0.999
