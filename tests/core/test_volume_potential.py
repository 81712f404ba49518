import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_geometries import constant_geometry, drawn_geometry, half_plane
from latent_fields import draw_field, draw_points

from cohortsmith.core.curves import composite_rule, length, sample, straight_lines
from cohortsmith.core.geometry import Geometry
from cohortsmith.core.metric import learned_geometry
from cohortsmith.core.volume_potential import volume_potential


def test_the_length_is_the_integral_of_the_potential_along_the_curve():
    geometry = drawn_geometry(3)
    line = straight_lines(draw_points(4, 3), draw_points(4, 3, seed=5), 3)
    rule = composite_rule(60, 8, line.start)
    position, velocity = sample(line, rule.times)
    potential = 1 / torch.linalg.det(geometry.metric(position.flatten(0, 1))).sqrt().reshape(4, -1)
    expected = (potential * velocity.norm(dim=2)) @ rule.weights
    torch.testing.assert_close(length(volume_potential(geometry), line, nodes=60), expected, rtol=1e-6, atol=0)


@settings(deadline=None, max_examples=20)
@given(d=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_everything_about_the_geometry_is_of_one_metric(d, seed):
    potential, z, q = (
        volume_potential(drawn_geometry(d, seed)),
        draw_points(3, d, seed + 1),
        draw_points(3, d, seed + 2),
    )
    metric, inverse = potential.metric(z), potential.inverse(z)
    torch.testing.assert_close(metric @ inverse, torch.eye(d, dtype=torch.float64).expand(3, d, d))
    torch.testing.assert_close(potential.log_volume(z), 0.5 * torch.logdet(metric))
    volume, gradient = potential.log_volume_and_gradient(z)
    torch.testing.assert_close(volume, potential.log_volume(z))
    torch.testing.assert_close(gradient, slope(potential.log_volume, z))
    kinetic = slope(lambda point: 0.5 * torch.einsum("bi,bij,bj->b", q, potential.inverse(point), q), z)
    torch.testing.assert_close(potential.kinetic_gradient(z, q), kinetic)


def slope(function, z):
    point = z.clone().requires_grad_()
    return torch.autograd.grad(function(point).sum(), point)[0]


def test_where_the_volume_is_constant_all_directions_cost_its_inverse():
    metric = volume_potential(constant_geometry([[4.0, 0.0], [0.0, 9.0]])).metric(torch.zeros(1, 2))
    torch.testing.assert_close(metric[0], torch.eye(2) / 36)


@pytest.mark.parametrize("build", [half_plane, lambda: learned_geometry(draw_field(n=4, d=2))])
def test_the_potential_is_low_where_the_volume_is_high(build):
    geometry: Geometry = build()
    z = draw_points(20, 2).abs()
    order = geometry.log_volume(z).argsort()
    assert (volume_potential(geometry).metric(z)[order, 0, 0].diff() <= 0).all()
