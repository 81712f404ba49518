import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_geometries import (
    bridged_clusters,
    constant_geometry,
    drawn_geometry,
    half_plane,
    half_plane_distance,
    spiral,
)
from latent_fields import draw_points

from cohortsmith.core.curves import Curves, energy, length, quadrature, sample, straight, straight_lines
from cohortsmith.core.distances import graph_distances
from cohortsmith.core.exponential_map import exponential_map
from cohortsmith.core.geodesics import (
    GeodesicSettings,
    curve_over_landmarks,
    descend,
    energy_and_gradient,
    geodesics,
    interpolate,
)
from cohortsmith.core.metric import MetricField, learned_geometry
from cohortsmith.core.pullback_metric import pullback_geometry
from cohortsmith.core.volume_potential import volume_potential

MATRIX = torch.tensor([[2.0, 0.6, 0.0], [0.6, 0.5, 0.1], [0.0, 0.1, 1.0]], dtype=torch.float64)


def draw_half_plane_pairs(n, seed=0):
    points = draw_points(2 * n, 2, seed)
    points[:, 1] = points[:, 1].exp()
    return points[:n], points[n:]


def test_in_a_constant_metric_the_geodesic_is_the_straight_line():
    start, end = draw_points(4, 3), draw_points(4, 3, seed=2)
    found = geodesics(constant_geometry(MATRIX), start, end)
    expected = ((end - start) @ MATRIX * (end - start)).sum(1).sqrt()
    torch.testing.assert_close(found.length, expected)
    torch.testing.assert_close(found.energy, expected.square())
    torch.testing.assert_close(found.curves.control, straight_lines(start, end, 12).control)
    assert found.converged.all()


def test_in_a_constant_metric_one_step_leads_from_the_landmarks_back_to_the_straight_line():
    geometry, landmarks = constant_geometry(MATRIX), draw_points(50, 3, seed=3)
    start, end = draw_points(4, 3), draw_points(4, 3, seed=2)
    bent = curve_over_landmarks(geometry, start, end, 12, landmarks)
    found = descend(geometry, bent, GeodesicSettings(max_iterations=1))
    assert (length(geometry, bent) > 1.01 * found.length).any()
    torch.testing.assert_close(found.curves, straight_lines(start, end, 12), rtol=0, atol=1e-6)


# Sixty pairs up to 6 apart; the error falls as the fourth power of the spacing of the control points, and then some.
@pytest.mark.parametrize(("n_control", "tolerance"), [(6, 2e-3), (8, 6e-4), (12, 2e-4), (20, 5e-5)])
def test_distances_in_the_half_plane_are_those_of_the_closed_form(n_control, tolerance):
    start, end = draw_half_plane_pairs(60)
    found = geodesics(half_plane(), start, end, GeodesicSettings(n_control=n_control))
    expected = half_plane_distance(start, end)
    assert found.converged.all()
    assert ((found.length / expected) - 1).abs().max() < tolerance


def test_a_geodesic_of_the_half_plane_is_a_circle_about_the_border():
    start, end = torch.tensor([[-1.0, 1.0]], dtype=torch.float64), torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    points = interpolate(half_plane(), start, end, 9)[0]
    torch.testing.assert_close(points.norm(dim=1), torch.full((9,), 2.0, dtype=torch.float64).sqrt(), rtol=1e-3, atol=0)


def test_the_gradient_of_the_energy_is_that_of_autograd():
    geometry, shape = drawn_geometry(3), (2, 4, 3)
    curves = Curves(draw_points(2, 3), draw_points(8, 3, seed=4).reshape(shape), draw_points(2, 3, seed=5))
    control = curves.control.clone().requires_grad_()
    value = energy(geometry, curves._replace(control=control), nodes=5)
    (expected,) = torch.autograd.grad(value.sum(), control)
    found = energy_and_gradient(geometry, curves, quadrature(curves, 5))
    torch.testing.assert_close(found, (value.detach(), expected), rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=10)
@given(d=st.integers(1, 4), seed=st.integers(0, 2**31), with_landmarks=st.booleans())
def test_a_geodesic_is_never_longer_than_the_straight_line(d, seed, with_landmarks):
    geometry, start, end = drawn_geometry(d, seed), draw_points(5, d, seed), draw_points(5, d, seed + 1)
    landmarks = draw_points(12, d, seed + 2) if with_landmarks else None
    found = geodesics(geometry, start, end, landmarks=landmarks)
    assert (found.length <= length(geometry, straight_lines(start, end, 12))).all()


def test_cut_short_the_straight_line_is_given_back_rather_than_a_longer_curve():
    start, end = draw_half_plane_pairs(40, seed=3)
    found = geodesics(half_plane(), start, end, GeodesicSettings(max_iterations=0))
    torch.testing.assert_close(found.length, length(half_plane(), straight_lines(start, end, 12)))
    assert not found.converged.any()


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_there_and_back_are_as_long(seed):
    start, end = draw_half_plane_pairs(4, seed)
    there, back = geodesics(half_plane(), start, end), geodesics(half_plane(), end, start)
    torch.testing.assert_close(there.length, back.length, rtol=1e-4, atol=0)


def test_a_converged_curve_runs_at_constant_speed():
    start, end = draw_half_plane_pairs(20)
    found = geodesics(half_plane(), start, end, GeodesicSettings(n_control=20))
    torch.testing.assert_close(found.energy, found.length.square(), rtol=1e-3, atol=0)


def test_from_a_point_to_itself_there_is_no_way_to_go():
    point = draw_points(2, 2)
    found = geodesics(drawn_geometry(2), point, point, landmarks=draw_points(9, 2, seed=7))
    assert found.length.max() < 1e-12
    torch.testing.assert_close(interpolate(drawn_geometry(2), point, point, 4), point.unsqueeze(1).expand(2, 4, 2))


def test_pairs_bent_a_few_at_a_time_end_as_those_bent_together():
    start, end = draw_half_plane_pairs(7)
    together, apart = (geodesics(half_plane(), start, end, GeodesicSettings(pairs_at_once=n)) for n in (100, 3))
    torch.testing.assert_close(apart, together)


@pytest.mark.parametrize("d", [2, 5])
def test_between_two_clusters_the_way_is_over_their_bridge_and_not_through_the_void(d):
    field = bridged_clusters(d)
    start, end = field.centroids[:1], field.centroids[24:25]
    found = interpolate(learned_geometry(field), start, end, 25, landmarks=field.centroids)[0]
    nearest = torch.cdist(found, field.centroids).amin(dim=1)
    line = torch.cdist(straight(start, end, 25)[0], field.centroids).amin(dim=1)
    assert nearest.max() < field.temperature < 3 * field.temperature < line.max()


def test_landmarks_show_the_way_that_the_straight_line_does_not_know():
    field = spiral()
    geometry, start, end = learned_geometry(field), field.centroids[:1], field.centroids[-1:]
    shown = geodesics(geometry, start, end, landmarks=field.centroids).length.item()
    assert shown < 0.3 * geodesics(geometry, start, end).length.item()
    assert shown <= graph_distances(geometry, field.centroids)[0, -1].item()


def test_the_potential_keeps_to_where_the_volume_is_large():
    # Volume high on the right: between two points of one height the way bends to the right.
    geometry = learned_geometry(MetricField(-2.0 * torch.eye(1, 2).double(), 3 * torch.eye(2).double()[None], 1.5, 0.3))
    start, end = torch.tensor([[-1.0, -1.5]]).double(), torch.tensor([[-1.0, 1.5]]).double()
    kept = interpolate(volume_potential(geometry), start, end, 5)[0, 2]
    shortest = interpolate(geometry, start, end, 5)[0, 2]
    assert kept[0] > -0.9
    assert shortest[0] < -1.1


def test_interpolated_points_are_equally_far_from_one_to_the_next():
    start, end = draw_half_plane_pairs(5)
    points = interpolate(half_plane(), start, end, 7, GeodesicSettings(n_control=20))
    torch.testing.assert_close((points[:, 0], points[:, -1]), (start, end))
    steps = half_plane_distance(points[:, :-1].flatten(0, 1), points[:, 1:].flatten(0, 1)).reshape(5, 6)
    torch.testing.assert_close(steps, steps.mean(1, keepdim=True).expand(5, 6), rtol=5e-3, atol=0)


def test_points_are_equally_far_also_where_the_curve_does_not_run_evenly():
    low, high = torch.tensor([[0.3, 1.0]]).double(), torch.tensor([[0.3, 4.0]]).double()
    points = interpolate(half_plane(), low, high, 3, GeodesicSettings(max_iterations=0))[0]
    torch.testing.assert_close(points[:, 1], torch.tensor([1.0, 2.0, 4.0]).double(), rtol=1e-4, atol=0)


def test_the_curve_over_landmarks_starts_at_equal_distances_within_one_long_step_too():
    low, high = torch.tensor([[0.3, 1.0]]).double(), torch.tensor([[0.3, 4.0]]).double()
    found = curve_over_landmarks(half_plane(), low, high, 1, torch.cat([low, high]))
    torch.testing.assert_close(found.control[0, 0], torch.tensor([0.3, 2.0]).double(), rtol=1e-2, atol=0)


def test_pairs_that_share_their_ends_do_not_crowd_the_landmarks_out():
    field = spiral()
    ends = (field.centroids[:1], field.centroids[-1:])
    alone = curve_over_landmarks(learned_geometry(field), *ends, 12, field.centroids)
    crowd = curve_over_landmarks(learned_geometry(field), *(end.expand(30, 2) for end in ends), 12, field.centroids)
    torch.testing.assert_close(crowd.control, alone.control.expand(30, 12, 2))


def test_the_curve_over_landmarks_follows_them_at_equal_distances():
    corner = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 1.0], [2.0, 2.0]], dtype=torch.float64)
    # With kernels so narrow, the short cut from the second to the fourth costs more than the way round the corner.
    field = MetricField(corner, torch.eye(2, dtype=torch.float64).expand(5, 2, 2), 0.3, 1e-6)
    found = curve_over_landmarks(learned_geometry(field), corner[:1], corner[-1:], 7, corner)
    on_the_way = torch.minimum(found.control[0, :, 1].abs(), (found.control[0, :, 0] - 2).abs())
    torch.testing.assert_close(on_the_way, torch.zeros(7, dtype=torch.float64))
    torch.testing.assert_close(found.control[0, 3], corner[2])


def test_single_precision_is_enough():
    start, end = (points.float() for points in draw_half_plane_pairs(20))
    found = geodesics(half_plane(), start, end)
    assert found.length.dtype == sample(found.curves, torch.rand(2))[0].dtype == torch.float32
    assert ((found.length / half_plane_distance(start, end)) - 1).abs().max() < 1e-3


@pytest.mark.parametrize("build", [half_plane, lambda: learned_geometry(bridged_clusters())])
def test_from_half_way_the_exponential_map_leads_to_the_end_of_a_geodesic(build):
    geometry = build()
    start, end = torch.tensor([[-1.9, 0.7], [-1.5, 1.2]]).double(), torch.tensor([[1.8, 0.6], [0.5, 1.9]]).double()
    found = geodesics(geometry, start, end, GeodesicSettings(n_control=30, tolerance=1e-12))
    middle, velocity = (values[:, 0] for values in sample(found.curves, torch.full((1,), 0.5, dtype=torch.float64)))
    reached = exponential_map(geometry, middle, 0.5 * velocity, n_steps=400).position
    torch.testing.assert_close(reached, end, rtol=0, atol=0.01)


def test_on_a_sphere_pulled_back_by_its_parametrisation_geodesics_are_great_circles():
    def sphere(z):
        polar, azimuth = z.unbind(1)
        return torch.stack([polar.sin() * azimuth.cos(), polar.sin() * azimuth.sin(), polar.cos()], dim=1)

    geometry = pullback_geometry(2, sphere, lambda z: 0 * z[:, :1])
    start, end = torch.tensor([[0.6, 0.0], [1.0, 1.0]]).double(), torch.tensor([[0.8, 1.5], [1.7, -0.8]]).double()
    expected = (sphere(start) * sphere(end)).sum(1).acos()
    torch.testing.assert_close(geodesics(geometry, start, end).length, expected, rtol=5e-4, atol=0)
