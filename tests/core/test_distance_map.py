import math

import pytest
import torch
from known_geometries import constant_geometry, drawn_geometry, half_plane, half_plane_distance
from latent_fields import draw_points

from cohortsmith.core.distance_map import STEPS, distance_map, grid_distances, grid_graph
from cohortsmith.core.planes import Box, Grid, coordinate_plane, grid, grid_around, grid_points
from cohortsmith.errors import ConfigurationError

PLANE = coordinate_plane(draw_points(3, 2))


def square(lower, upper, n):
    return grid(PLANE, Box(torch.tensor(lower), torch.tensor(upper)), n)


def excess(found, expected, at_least):
    """By how much found distances are too long, as a share, beyond a least distance."""
    share = found / expected - 1
    return share[expected > at_least]


# 1 / cos(half the widest angle between two steps) - 1, and next to nothing below zero.
@pytest.mark.parametrize(("neighbours", "bound"), [(8, 0.0824), (16, 0.0276), (32, 0.0132)])
def test_in_flat_space_a_map_errs_by_its_widest_angle_and_no_more(neighbours, bound):
    points, source = square([-1.0, -1.0], [1.0, 1.0], 101), torch.zeros(1, 2, dtype=torch.float64)
    found = distance_map(constant_geometry(torch.eye(2)), source, points, neighbours)[0]
    errors = excess(found, grid_points(points).norm(dim=1).reshape(101, 101), 0.1)
    assert -1e-9 < errors.min()
    assert 0.9 * bound < errors.max() <= bound


def test_the_widest_angle_is_that_of_the_steps():
    for neighbours, widest in ((8, math.pi / 4), (16, math.atan(1 / 2)), (32, math.atan(1 / 3))):
        angles = sorted(math.atan2(up, right) % math.pi for right, up in STEPS[neighbours])
        gaps = [after - before for before, after in zip(angles, [*angles[1:], angles[0] + math.pi], strict=True)]
        assert len(angles) == neighbours // 2
        assert max(gaps) == pytest.approx(widest)


def test_in_a_constant_anisotropic_metric_the_error_is_that_of_the_best_two_steps():
    matrix = torch.tensor([[3.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    points, source = square([-1.0, -1.0], [1.0, 1.0], 61), torch.zeros(1, 2, dtype=torch.float64)
    found = distance_map(constant_geometry(matrix), source, points)[0].flatten()
    ends = grid_points(points)
    steps = torch.tensor([*STEPS[16], *((-right, -up) for right, up in STEPS[16])], dtype=torch.float64)
    lengths = ((steps @ matrix) * steps).sum(1).sqrt()
    expected = torch.full_like(found, torch.inf)
    for i, j in torch.combinations(torch.arange(16)).tolist():
        pair = steps[[i, j]].T
        counts = (torch.linalg.pinv(pair) @ ends.T).T  # how many of each step lead there
        reached = (counts > -1e-9).all(1) & torch.isclose(counts @ pair.T, ends).all(1)
        expected = torch.where(reached, torch.minimum(expected, counts @ lengths[[i, j]]), expected)
    far = ends.abs().amax(1) > 0.3  # nearby, fractions of a step would be needed
    assert ((found / expected)[far] - 1).min() > -1e-9
    assert ((found / expected)[far] - 1).max() < 0.05


def test_in_the_half_plane_a_map_is_right_within_three_per_cent():
    points, source = square([-1.5, 0.3], [1.5, 3.3], 200), torch.tensor([[0.333, 1.01]], dtype=torch.float64)
    found = distance_map(half_plane(), source, points)[0]
    errors = excess(found, half_plane_distance(source, grid_points(points)).reshape(200, 200), 0.3)
    assert -1e-3 < errors.min()
    assert errors.max() < 0.03


def test_the_first_axis_of_the_map_is_the_source_then_rows_then_columns():
    points = Grid(torch.linspace(0, 3, 4).double(), torch.linspace(0, 1, 2).double(), PLANE)
    sources = torch.tensor([[0.0, 0.0], [3.0, 1.0]], dtype=torch.float64)
    found = distance_map(constant_geometry(torch.diag(torch.tensor([1.0, 100.0]))), sources, points)
    assert found.shape == (2, 2, 4)
    assert found[0, 0].tolist() == pytest.approx([0.0, 1.0, 2.0, 3.0])
    assert found[0, 1, 0].item() == pytest.approx(10.0)
    torch.testing.assert_close(found[1], found[0].flip(0, 1))


def test_an_edge_is_as_long_as_the_metric_half_way_says():
    points = Grid(torch.tensor([0.0, 10.0]).double(), torch.tensor([1.0, 3.0]).double(), PLANE)
    found = distance_map(half_plane(), torch.tensor([[0.0, 1.0]], dtype=torch.float64), points)
    assert found[0, 1, 0].item() == pytest.approx(2 / 2)


def test_two_codes_in_one_cell_are_joined_directly():
    codes = torch.tensor([[0.01, 0.02], [0.05, 0.03], [0.9, 0.9]], dtype=torch.float64)
    found = grid_distances(constant_geometry(torch.eye(2)), codes, square([-1.0, -1.0], [1.0, 1.0], 11))
    assert found[0, 1].item() == pytest.approx((codes[0] - codes[1]).norm().item())


def test_distances_over_the_grid_are_those_of_the_half_plane_and_never_much_shorter():
    codes = draw_points(30, 2).clamp(-1.4, 1.4)
    codes[:, 1] += 1.8
    found = grid_distances(half_plane(), codes, square([-2.0, 0.2], [2.0, 4.2], 200))
    expected = half_plane_distance(codes[:, None], codes[None])
    errors = excess(found, expected, 0.2)
    assert -2e-3 < errors.min()
    assert errors.max() < 0.03


def test_on_a_plane_through_more_dimensions_paths_keep_to_the_plane():
    geometry = constant_geometry(torch.diag(torch.tensor([1.0, 4.0, 9.0])))
    codes = draw_points(9, 3)
    points = grid_around(codes, n=41)
    found = distance_map(geometry, codes[:1], points)[0].flatten()
    foot = points.plane.origin + (codes[0] - points.plane.origin) @ points.plane.axes.T @ points.plane.axes
    along = grid_points(points) - foot
    expected = (along.square() * torch.tensor([1.0, 4.0, 9.0])).sum(1).sqrt()
    errors = excess(found, expected, 0.5)
    assert -1e-9 < errors.min()
    assert errors.max() < 0.1


@pytest.mark.parametrize("source", [[9.0, 0.0], [0.0, -9.0], [math.nan, 0.0]])
def test_a_source_outside_the_grid_is_refused_with_a_remedy(source):
    with pytest.raises(ConfigurationError, match="grid_around"):
        distance_map(drawn_geometry(2), torch.tensor([source]), square([-1.0, -1.0], [1.0, 1.0], 5))


def test_no_edge_jumps_over_many_cells_between_codes():
    codes = torch.tensor([[-0.9, -0.9], [0.9, 0.9], [0.9, 0.8]], dtype=torch.float64)
    graph = grid_graph(constant_geometry(torch.eye(2)), square([-1.0, -1.0], [1.0, 1.0], 41), codes)
    assert graph.edges.length.max() <= 0.05 * math.sqrt(8) + 1e-12  # a knight is shorter than across the block of four


def test_an_unknown_neighbourhood_is_refused():
    with pytest.raises(ConfigurationError, match="8, 16, 32"):
        distance_map(drawn_geometry(2), torch.zeros(1, 2), square([-1.0, -1.0], [1.0, 1.0], 5), neighbours=4)
