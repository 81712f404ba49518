import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_geometries import constant_geometry, drawn_geometry
from latent_fields import draw_points

from cohortsmith.core.curves import length, straight_lines
from cohortsmith.core.shortest_paths import (
    Edges,
    measured,
    segment_lengths,
    shortest_distances,
    shortest_route,
)

# 0 - 1 - 2 costs 3, the direct way from 0 to 2 costs 5, and 3 is out of reach.
TRIANGLE = Edges(torch.tensor([0, 0, 1]), torch.tensor([1, 2, 2]), torch.tensor([1.0, 5.0, 2.0]))


def test_distances_by_hand():
    found = shortest_distances(TRIANGLE, 4, torch.tensor([0, 2]))
    assert found.tolist() == [[0.0, 1.0, 3.0, float("inf")], [3.0, 2.0, 0.0, float("inf")]]


def test_routes_by_hand():
    routes = shortest_route(TRIANGLE, 4, torch.tensor([0, 2, 1, 0]), torch.tensor([2, 0, 1, 2]))
    assert [route.tolist() for route in routes] == [[0, 1, 2], [2, 1, 0], [1], [0, 1, 2]]


def test_an_edge_of_no_length_is_an_edge():
    edges = Edges(torch.tensor([0, 1]), torch.tensor([1, 2]), torch.tensor([0.0, 2.0]))
    assert shortest_distances(edges, 3, torch.tensor([0])).tolist() == [[0.0, 0.0, 2.0]]


def test_a_pair_named_twice_or_backwards_is_one_edge_and_a_loop_is_none():
    pairs = torch.tensor([[1, 0], [0, 1], [2, 1], [1, 1], [1, 0]])
    edges = measured(
        constant_geometry(torch.eye(2)), torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]]), pairs, nodes=1
    )
    assert edges.first.tolist() == [0, 1]
    assert edges.second.tolist() == [1, 2]
    assert edges.length.tolist() == pytest.approx([5.0, 1.0])


@settings(deadline=None, max_examples=20)
@given(d=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_a_segment_is_as_long_as_the_straight_curve(d, seed):
    geometry, start, end = drawn_geometry(d, seed), draw_points(5, d, seed), draw_points(5, d, seed + 1)
    expected = length(geometry, straight_lines(start, end, 0), nodes=11)
    torch.testing.assert_close(segment_lengths(geometry, start, end, nodes=11), expected)


def test_one_node_is_the_midpoint_rule():
    geometry, start, end = drawn_geometry(2), draw_points(3, 2), draw_points(3, 2, seed=2)
    along = end - start
    metric = geometry.metric(0.5 * (start + end))
    expected = torch.einsum("bi,bij,bj->b", along, metric, along).sqrt()
    torch.testing.assert_close(segment_lengths(geometry, start, end, nodes=1), expected)


def test_segments_are_the_same_however_many_are_measured_at_once(monkeypatch):
    geometry, start, end = drawn_geometry(2), draw_points(9, 2), draw_points(9, 2, seed=2)
    together = segment_lengths(geometry, start, end, nodes=4)
    monkeypatch.setattr("cohortsmith.core.shortest_paths.POINTS_AT_ONCE", 8)
    torch.testing.assert_close(segment_lengths(geometry, start, end, nodes=4), together)
