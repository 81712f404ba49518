import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_geometries import bridged_clusters, constant_geometry, drawn_geometry, spiral
from latent_fields import draw_points

from cohortsmith.core.distance_map import grid_distances
from cohortsmith.core.distances import graph_distances, pairwise_distances, refine
from cohortsmith.core.geodesics import geodesics
from cohortsmith.core.metric import learned_geometry
from cohortsmith.core.planes import grid_around


def is_a_distance(matrix):
    """Symmetric, zero on the diagonal, no detour shorter than the direct way."""
    torch.testing.assert_close(matrix, matrix.mT, rtol=0, atol=0)
    assert matrix.diagonal().eq(0).all()
    detours = (matrix.unsqueeze(2) + matrix.unsqueeze(0)).amin(dim=1)
    torch.testing.assert_close(torch.minimum(matrix, detours), matrix, rtol=1e-9, atol=1e-12)


laws = {"n": st.integers(2, 10), "d": st.integers(1, 4), "seed": st.integers(0, 2**31)}


@settings(deadline=None, max_examples=15)
@given(**laws)
def test_distances_over_the_graph_are_distances(n, d, seed):
    is_a_distance(graph_distances(drawn_geometry(d, seed), draw_points(n, d, seed), n_neighbours=2))


@settings(deadline=None, max_examples=10)
@given(n=st.integers(2, 10), seed=st.integers(0, 2**31))
def test_distances_over_the_grid_are_distances(n, seed):
    codes = draw_points(n, 2, seed)
    is_a_distance(grid_distances(drawn_geometry(2, seed), codes, grid_around(codes, n=20)))


@settings(deadline=None, max_examples=8)
@given(n=st.integers(3, 7), d=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_refined_distances_are_distances_and_none_has_risen(n, d, seed):
    geometry, codes = drawn_geometry(d, seed), draw_points(n, d, seed)
    rough = graph_distances(geometry, codes, n_neighbours=1)
    fine = refine(geometry, codes, rough, torch.tensor([[0, 2], [0, 1]]))
    is_a_distance(fine)
    assert (fine <= rough).all()


def test_equal_codes_are_no_distance_apart():
    codes = draw_points(6, 3)[[0, 1, 1, 2, 3, 1]]
    rough = graph_distances(drawn_geometry(3), codes, n_neighbours=2)
    for found in (rough, refine(drawn_geometry(3), codes, rough, torch.tensor([[0, 1]]))):
        assert found[1, 2] == found[2, 5] == 0
        is_a_distance(found)


def test_over_the_complete_graph_of_flat_space_distances_are_exact():
    codes, scale = draw_points(9, 3), torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)
    found = graph_distances(constant_geometry(torch.diag(scale)), codes, n_neighbours=8)
    torch.testing.assert_close(found, torch.cdist(codes * scale.sqrt(), codes * scale.sqrt()))


@pytest.mark.parametrize("d", [2, 3])
def test_the_graph_is_never_shorter_than_the_geodesic(d):
    geometry, codes = drawn_geometry(d, seed=5), draw_points(20, d, seed=6)
    first, second = torch.triu_indices(20, 20, 1)
    found = geodesics(geometry, codes[first], codes[second], landmarks=codes)
    over_graph = graph_distances(geometry, codes, n_neighbours=4)[first, second]
    assert (found.length <= over_graph * (1 + 1e-3)).all()
    assert (found.length < 0.95 * over_graph).any()


def test_a_refined_pair_is_as_far_as_its_geodesic():
    field = bridged_clusters(3)
    geometry, codes = learned_geometry(field), field.centroids
    rough = pairwise_distances(geometry, codes)
    fine = refine(geometry, codes, rough, torch.tensor([[24, 0]]))
    expected = geodesics(geometry, codes[:1], codes[24:25], landmarks=codes).length
    assert rough[0, 24] > 1.02 * expected.item()
    assert fine[0, 24].item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_pair_is_refined_along_the_codes_where_the_straight_line_leads_astray():
    geometry, codes = learned_geometry(spiral()), spiral().centroids
    rough = graph_distances(geometry, codes)
    assert refine(geometry, codes, rough, torch.tensor([[0, 59]]))[0, 59] < 0.995 * rough[0, 59]


def test_in_two_dimensions_the_grid_finds_ways_that_no_code_marks():
    field = bridged_clusters(2)
    geometry, codes = learned_geometry(field), field.centroids
    over_grid, over_graph = pairwise_distances(geometry, codes), graph_distances(geometry, codes)
    expected = geodesics(geometry, codes[:1], codes[24:25]).length.item()
    assert expected < over_grid[0, 24] < 1.02 * expected < over_graph[0, 24]


def test_clusters_joined_by_a_bridge_are_farther_apart_than_a_straight_line_says():
    field = bridged_clusters(2)
    found = pairwise_distances(learned_geometry(field), field.centroids)
    on_the_bridge, across_the_void = found[0, 6], found[0, 24]
    assert across_the_void > 2.5 * on_the_bridge  # straight, it is 2.6 times as far; over the bridge, 4 times
