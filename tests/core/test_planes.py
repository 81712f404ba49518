import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_fields import draw_points

from cohortsmith.core.planes import (
    Box,
    box_around,
    coordinate_plane,
    grid,
    grid_around,
    grid_points,
    lift,
    on_grid,
    principal_plane,
    project,
)

seeds = {"d": st.integers(3, 6), "seed": st.integers(0, 2**31)}


@settings(deadline=None, max_examples=25)
@given(**seeds)
def test_a_point_of_the_plane_is_found_again(d, seed):
    plane, coordinates = principal_plane(draw_points(12, d, seed)), draw_points(5, 2, seed + 1)
    torch.testing.assert_close(project(plane, lift(plane, coordinates)), coordinates)
    torch.testing.assert_close(plane.axes @ plane.axes.mT, torch.eye(2, dtype=torch.float64))


@settings(deadline=None, max_examples=25)
@given(**seeds)
def test_no_other_axis_holds_more_of_the_variance(d, seed):
    codes = draw_points(30, d, seed)
    plane = principal_plane(codes)
    spread = project(plane, codes).var(dim=0) / codes.var(dim=0).sum()
    torch.testing.assert_close(spread, plane.explained)
    assert plane.explained[0] >= plane.explained[1]
    other = draw_points(1, d, seed + 1)[0]
    assert (codes @ (other / other.norm())).var() / codes.var(dim=0).sum() <= plane.explained[0] + 1e-12


def test_codes_in_a_plane_are_seen_as_they_lie():
    codes = torch.nn.functional.pad(draw_points(9, 2), (0, 3))
    plane = principal_plane(codes)
    assert plane.explained.sum().item() == pytest.approx(1)
    torch.testing.assert_close(lift(plane, project(plane, codes)), codes)


def test_two_dimensional_codes_keep_their_coordinates():
    codes = draw_points(9, 2)
    torch.testing.assert_close(project(principal_plane(codes), codes), codes)
    torch.testing.assert_close(principal_plane(codes), coordinate_plane(codes))


def test_an_axis_points_to_where_its_largest_component_is_positive():
    for seed in range(10):
        axes = principal_plane(draw_points(40, 4, seed)).axes
        assert (axes.gather(1, axes.abs().argmax(1, keepdim=True)) > 0).all()


def test_the_box_is_a_square_around_the_codes():
    box = box_around(torch.tensor([[0.0, 1.0], [10.0, 3.0]]), margin=0.1)
    torch.testing.assert_close(box, Box(torch.tensor([-1.0, -4.0]), torch.tensor([11.0, 8.0])))


def test_rows_run_upwards_and_columns_to_the_right():
    codes = draw_points(6, 2)
    points = grid(coordinate_plane(codes), Box(torch.tensor([0.0, 10.0]), torch.tensor([1.0, 12.0])), 3)
    assert grid_points(points)[:4].tolist() == [[0.0, 10.0], [0.5, 10.0], [1.0, 10.0], [0.0, 11.0]]
    values = on_grid(lambda z: z[:, 0] + 100 * z[:, 1], points, at_once=2)
    assert values[2].tolist() == [1200.0, 1200.5, 1201.0]


def test_the_grid_holds_all_the_codes():
    codes = draw_points(20, 5)
    points, coordinates = grid_around(codes, n=7), project(principal_plane(codes), codes)
    assert grid_points(points).shape == (49, 5)
    for axis, values in ((points.horizontal, coordinates[:, 0]), (points.vertical, coordinates[:, 1])):
        assert axis[0] < values.min() and values.max() < axis[-1]
