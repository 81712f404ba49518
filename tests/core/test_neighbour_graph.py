import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_geometries import constant_geometry, drawn_geometry
from latent_fields import draw_points

from cohortsmith.core.metric import MetricField, learned_geometry
from cohortsmith.core.neighbour_graph import neighbour_graph
from cohortsmith.core.shortest_paths import segment_lengths, shortest_distances

FLAT = constant_geometry(torch.eye(2))
LINE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.5, 0.0], [9.0, 0.0]], dtype=torch.float64)


def pairs(edges):
    return list(zip(edges.first.tolist(), edges.second.tolist(), strict=True))


def test_on_a_line_each_point_is_joined_to_the_next():
    edges = neighbour_graph(FLAT, LINE, n_neighbours=1)
    assert pairs(edges) == [(0, 1), (1, 2), (2, 3)]
    torch.testing.assert_close(edges.length, torch.tensor([1.0, 1.5, 6.5], dtype=torch.float64))


def test_with_many_neighbours_every_pair_is_joined():
    assert len(neighbour_graph(FLAT, LINE, n_neighbours=100).first) == 6


def test_no_edge_is_longer_than_the_reach():
    assert pairs(neighbour_graph(FLAT, LINE, n_neighbours=3, reach=2.0)) == [(0, 1), (1, 2)]


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 12), d=st.integers(1, 4), copies=st.integers(0, 4), seed=st.integers(0, 2**31))
def test_a_path_leads_from_each_point_to_every_other_one_even_between_far_and_equal_points(n, d, copies, seed):
    points = draw_points(n, d, seed)
    points = torch.cat([points, points[:1].expand(copies, d), points + 1000])
    edges = neighbour_graph(drawn_geometry(d, seed), points, n_neighbours=1)
    assert shortest_distances(edges, len(points), torch.tensor([0])).isfinite().all()


def test_without_neighbours_the_spanning_tree_is_left_and_joins_equal_points_to_one_another():
    points = LINE[[0, 3, 3, 1, 3, 0]]
    edges = neighbour_graph(FLAT, points, n_neighbours=0)
    assert len(edges.first) == 5
    assert shortest_distances(edges, 6, torch.tensor([1]))[0].tolist() == pytest.approx([9, 0, 0, 8, 0, 9], abs=1e-12)


def test_an_edge_through_a_void_sees_its_walls():
    ends = torch.tensor([[-0.8, 0.0], [0.8, 0.0]], dtype=torch.float64)
    factors = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    geometry = learned_geometry(MetricField(ends, factors, temperature=0.3, regularization=1e-4))
    exact = segment_lengths(geometry, ends[:1], ends[1:], nodes=400)
    torch.testing.assert_close(neighbour_graph(geometry, ends).length, exact, rtol=1e-3, atol=0)
