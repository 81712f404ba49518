import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortsmith.core.support import ball_around, contains, largest_gap, nearest_distance, neighbourhood

SQUARE = torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]])


def test_the_ball_is_a_multiple_of_the_farthest_centroid():
    assert ball_around(SQUARE, 2.0).radius == pytest.approx(10.0)


def test_the_border_belongs_to_the_ball_and_what_lies_beyond_does_not():
    points = torch.tensor([[10.0, 0.0], [10.001, 0.0], [math.nan, 0.0], [math.inf, 0.0]])
    assert contains(ball_around(SQUARE, 2.0), points).tolist() == [True, False, False, False]


def test_a_reach_cuts_the_voids_out_of_the_ball():
    support = ball_around(SQUARE, 2.0)._replace(reach=1.0)
    points = torch.tensor([[0.0, 0.9], [0.0, 1.1], [3.0, 4.5]])
    assert contains(support, points).tolist() == [True, False, True]


def test_distances_by_hand():
    assert nearest_distance(torch.tensor([[3.0, 1.0], [0.0, 4.0]]), SQUARE).tolist() == pytest.approx([1.0, 3.0])
    assert largest_gap(SQUARE) == pytest.approx(4.0)


@pytest.mark.parametrize(("temperature", "expected"), [(1.5, 4.0), (5.0, 5.0), (torch.tensor(5.0), 5.0)])
def test_the_neighbourhood_is_the_wider_of_kernel_and_gap(temperature, expected):
    assert neighbourhood(SQUARE, temperature) == pytest.approx(expected)


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 8), d=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_every_centroid_lies_in_its_ball(n, d, seed):
    centroids = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert contains(ball_around(centroids, 1.0 + 1e-12), centroids).all()
