import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_geometries import constant_geometry, drawn_geometry, half_plane
from latent_fields import draw_points
from scipy.interpolate import CubicSpline

from cohortsmith.core.curves import (
    Curves,
    composite_rule,
    energy,
    equal_arc_times,
    knots,
    length,
    places_at_equal_length,
    sample,
    straight,
    straight_lines,
)
from cohortsmith.core.geometry import speed

MATRIX = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
shapes = {"p": st.integers(1, 4), "k": st.integers(0, 6), "d": st.integers(1, 4), "seed": st.integers(0, 2**31)}


def draw_curves(p=3, k=5, d=3, seed=0):
    start, end, control = (draw_points(n, d, seed + shift) for shift, n in enumerate((p, p, p * k)))
    return Curves(start, control.reshape(p, k, d), end)


def times(n=33):
    return torch.linspace(0, 1, n, dtype=torch.float64)


@settings(deadline=None, max_examples=25)
@given(**shapes)
def test_the_curve_is_the_natural_cubic_spline_of_scipy(p, k, d, seed):
    curves = draw_curves(p, k, d, seed)
    expected = CubicSpline(np.linspace(0, 1, k + 2), knots(curves), axis=1, bc_type="natural")
    position, velocity = sample(curves, times())
    torch.testing.assert_close(position, torch.from_numpy(expected(times().numpy())), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(velocity, torch.from_numpy(expected(times().numpy(), 1)), rtol=1e-9, atol=1e-8)


def test_the_curve_goes_through_its_points():
    curves = draw_curves(k=5)
    torch.testing.assert_close(sample(curves, times(7))[0], knots(curves))


def test_each_curve_may_be_sampled_at_its_own_times():
    curves, own = draw_curves(p=3), torch.rand(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    position, velocity = sample(curves, own)
    for row in range(3):
        alone = sample(Curves(*(values[row : row + 1] for values in curves)), own[row])
        torch.testing.assert_close((position[row : row + 1], velocity[row : row + 1]), alone)


@settings(deadline=None, max_examples=25)
@given(**shapes)
def test_a_straight_line_has_constant_velocity(p, k, d, seed):
    start, end = draw_points(p, d, seed), draw_points(p, d, seed + 1)
    position, velocity = sample(straight_lines(start, end, k), times(9))
    torch.testing.assert_close(position, straight(start, end, 9))
    torch.testing.assert_close(velocity, (end - start).unsqueeze(1).expand(-1, 9, -1))


def test_a_straight_line_in_a_constant_metric_is_as_long_as_the_mahalanobis_distance():
    start, end = draw_points(4, 2), draw_points(4, 2, seed=8)
    expected = ((end - start) @ MATRIX * (end - start)).sum(1)
    line, geometry = straight_lines(start, end, 3), constant_geometry(MATRIX)
    torch.testing.assert_close(length(geometry, line), expected.sqrt())
    torch.testing.assert_close(energy(geometry, line), expected)


def test_the_energy_of_a_spline_by_hand():
    # One control point at height 1 between 0 and 0: c = 3 t - 4 t^3 on [0, 1/2], mirrored; int c'^2 = 2 * 12 / 5.
    hill = Curves(*(torch.tensor(values, dtype=torch.float64) for values in ([[0.0]], [[[1.0]]], [[0.0]])))
    assert energy(constant_geometry(torch.eye(1)), hill).item() == pytest.approx(24 / 5)
    assert length(constant_geometry(torch.eye(1)), hill).item() == pytest.approx(2.0)


def test_a_vertical_line_in_the_half_plane_is_as_long_as_the_logarithm_of_its_heights():
    start, end = torch.tensor([[0.3, 1.0]], dtype=torch.float64), torch.tensor([[0.3, 3.0]], dtype=torch.float64)
    assert length(half_plane(), straight_lines(start, end, 2)).item() == pytest.approx(math.log(3), rel=1e-8)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31), d=st.integers(1, 4))
def test_the_squared_length_is_never_above_the_energy(seed, d):
    curves, geometry = draw_curves(d=d, seed=seed), drawn_geometry(d, seed)
    assert (length(geometry, curves).square() <= energy(geometry, curves) * (1 + 1e-9)).all()


def test_the_length_does_not_depend_on_how_the_curve_is_run_through():
    curves, geometry = draw_curves(p=1, d=2, seed=4), drawn_geometry(2)
    rule = composite_rule(60, 8, curves.start)
    # t = s + sin(2 pi s) / 10, still from 0 to 1 and never backwards.
    slowed = rule.times + (2 * math.pi * rule.times).sin() / 10
    rate = 1 + 2 * math.pi * (2 * math.pi * rule.times).cos() / 10
    position, velocity = sample(curves, slowed)
    found = speed(geometry, position[0], velocity[0] * rate.unsqueeze(1)) @ rule.weights
    assert found.item() == pytest.approx(length(geometry, curves, nodes=40).item(), rel=1e-6)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_backwards_the_curve_is_as_long(seed):
    curves, geometry = draw_curves(seed=seed), drawn_geometry(3)
    backwards = Curves(curves.end, curves.control.flip(1), curves.start)
    torch.testing.assert_close(length(geometry, backwards), length(geometry, curves), rtol=1e-9, atol=1e-9)


def test_more_nodes_bring_the_length_to_its_limit():
    curves, geometry = draw_curves(d=2, seed=2), drawn_geometry(2)
    limit = length(geometry, curves, nodes=60)
    errors = [((length(geometry, curves, nodes) / limit) - 1).abs().max().item() for nodes in (2, 8, 30)]
    assert errors[2] < 1e-5 < errors[1] < 0.02 < errors[0]


def test_points_at_equal_arc_length_are_equally_far_along_the_curve():
    curves, geometry = draw_curves(p=2, d=2, seed=6), drawn_geometry(2)
    places = equal_arc_times(geometry, curves, 6)
    assert places[:, 0].eq(0).all() and places[:, -1].eq(1).all()
    for row in range(2):
        one = Curves(*(values[row : row + 1] for values in curves))
        found = [piece_length(geometry, one, *pair) for pair in zip(places[row, :-1], places[row, 1:], strict=True)]
        np.testing.assert_allclose(found, np.mean(found), rtol=5e-3)


def piece_length(geometry, curve, begin, finish):
    rule = composite_rule(40, 8, curve.start)
    position, velocity = sample(curve, begin + (finish - begin) * rule.times)
    return float(speed(geometry, position[0], velocity[0] * (finish - begin)) @ rule.weights)


def test_places_at_equal_length_by_hand():
    pieces = torch.tensor([[1.0, 3.0], [0.0, 2.0], [0.0, 0.0]])
    places = places_at_equal_length(pieces, 5)
    assert places[0].tolist() == pytest.approx([0.0, 1.0, 4 / 3, 5 / 3, 2.0])
    assert places[1].tolist() == pytest.approx([1.0, 1.25, 1.5, 1.75, 2.0])
    assert places[2].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_curves_keep_the_type_they_are_given(dtype):
    start, end = draw_points(2, 3).to(dtype), draw_points(2, 3, seed=2).to(dtype)
    line = straight_lines(start, end, 4)
    geometry = constant_geometry(torch.eye(3))
    found = (line.control, *sample(line, times(3).to(dtype)), length(geometry, line), energy(geometry, line))
    assert {values.dtype for values in found} == {dtype}
