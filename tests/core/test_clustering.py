from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_fields import draw_points

from cohortsmith.core.clustering import build, k_medoids, medoids_of_rows, nearest_medoids, swap, swap_changes
from cohortsmith.errors import ConfigurationError

small = {"n": st.integers(2, 9), "k": st.integers(1, 4), "seed": st.integers(0, 2**31)}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw_distances(n, seed, d=2):
    points = draw_points(n, d, seed)
    return torch.cdist(points, points)


def cost(distances, medoids):
    return distances[:, list(medoids)].amin(1).sum().item()


def three_clusters(per_cluster=20):
    centres = torch.tensor([[0.0, 0.0], [9.0, 1.0], [4.0, 8.0]], dtype=torch.float64)
    truth = torch.arange(3).repeat_interleave(per_cluster)
    return centres[truth] + draw_points(3 * per_cluster, 2, seed=5), truth


def test_planted_clusters_are_found():
    points, truth = three_clusters()
    found = k_medoids(torch.cdist(points, points), 3, generator())
    assert [truth[medoid].item() for medoid in found.medoids] == [0, 1, 2]  # medoids ascend, as the truth does
    assert found.labels.equal(truth)


@settings(deadline=None, max_examples=40)
@given(**small)
def test_the_cost_of_small_cases_is_the_lowest_there_is(n, k, seed):
    distances = draw_distances(n, seed)
    lowest = min(cost(distances, medoids) for medoids in combinations(range(n), min(k, n)))
    found = k_medoids(distances, min(k, n), generator(), n_restarts=30)
    assert found.cost == pytest.approx(lowest, rel=1e-9, abs=1e-12)


@settings(deadline=None, max_examples=25)
@given(**small)
def test_each_member_belongs_to_its_nearest_medoid_and_the_cost_is_the_sum(n, k, seed):
    distances = draw_distances(n, seed)
    found = k_medoids(distances, min(k, n), generator())
    to_own = distances[torch.arange(n), found.medoids[found.labels]]
    assert to_own.equal(distances[:, found.medoids].amin(1))
    assert found.cost == pytest.approx(to_own.sum().item())
    assert found.medoids.unique().equal(found.medoids)
    assert found.labels[found.medoids].equal(torch.arange(len(found.medoids)))


@settings(deadline=None, max_examples=25)
@given(n=st.integers(3, 9), k=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_the_change_of_cost_is_that_of_making_the_exchange(n, k, seed):
    distances = draw_distances(n, seed)
    medoids = torch.randperm(n, generator=generator(seed))[:k]
    expected = torch.tensor(
        [
            [cost(distances, [*medoids[:row], candidate, *medoids[row + 1 :]]) for candidate in range(n)]
            for row in range(k)
        ],
        dtype=torch.float64,
    ) - cost(distances, medoids)
    torch.testing.assert_close(swap_changes(distances, medoids, torch.arange(n)), expected, rtol=0, atol=1e-9)


def test_building_takes_the_most_central_member_first_then_what_gains_most():
    points = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0]])
    assert build(torch.cdist(points, points), 3).tolist()[:2] == [2, 3]


def test_exchanging_leaves_a_bad_start():
    points, _ = three_clusters()
    distances = torch.cdist(points, points)
    bad = torch.tensor([0, 1, 2])  # all in the first cluster
    assert cost(distances, swap(distances, bad)) < 0.3 * cost(distances, bad)


def test_looking_at_few_candidates_at_a_time_ends_where_no_exchange_helps(monkeypatch):
    monkeypatch.setattr("cohortsmith.core.clustering.AT_ONCE", 7)
    distances = draw_distances(60, seed=2)
    medoids = swap(distances, torch.arange(5))
    assert swap_changes(distances, medoids, torch.arange(60)).min() > -1e-9


def test_without_restarts_the_descent_is_from_the_built_medoids():
    for seed in range(12):
        distances = draw_distances(40, seed)
        expected = swap(distances, build(distances, 6)).sort().values
        assert k_medoids(distances, 6, generator(), n_restarts=0).medoids.equal(expected)


def test_restarts_can_only_help():
    distances = [draw_distances(40, seed) for seed in range(12)]
    alone, helped = ([k_medoids(d, 6, generator(), n_restarts=n).cost for d in distances] for n in (0, 10))
    assert all(after <= before for before, after in zip(alone, helped, strict=True))
    assert sum(helped) < sum(alone)


def test_the_same_seed_gives_the_same_clusters():
    distances = draw_distances(30, seed=1)
    first, second = (k_medoids(distances, 4, generator(9)) for _ in range(2))
    assert first.medoids.equal(second.medoids) and first.labels.equal(second.labels)


def test_any_distance_will_do():
    # Members 0, 2, 4 are near one another, and so are 1, 3, 5: no plane holds that, a matrix does.
    near = (torch.arange(6).unsqueeze(0) + torch.arange(6).unsqueeze(1)) % 2 == 0
    distances = torch.where(near, 1.0, 10.0).fill_diagonal_(0)
    assert k_medoids(distances, 2, generator()).labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_equal_members_do_not_keep_the_descent_going_for_ever():
    found = k_medoids(torch.zeros(6, 6), 3, generator())
    assert found.cost == 0
    assert len(found.medoids.unique()) == 3


def test_the_second_nearest_medoid_of_one_is_infinitely_far():
    near = nearest_medoids(draw_distances(3, seed=0), torch.tensor([1]))
    assert near.second.isinf().all()
    assert near.medoid.eq(0).all()


@pytest.mark.parametrize("k", [0, 5])
def test_as_many_clusters_as_cannot_be_are_refused(k):
    with pytest.raises(ConfigurationError, match="for 4 members"):
        k_medoids(torch.zeros(4, 4), k, generator())


def test_rows_that_stand_for_all_come_from_every_cluster():
    points, truth = three_clusters()
    chosen = medoids_of_rows(points, 3)
    assert truth[chosen].tolist() == [0, 1, 2]


@pytest.mark.parametrize("k", [4, 9])
def test_asked_for_more_rows_than_there_are_all_are_kept(k):
    assert medoids_of_rows(draw_points(4, 2), k).tolist() == [0, 1, 2, 3]


def test_no_row_at_all_is_refused():
    with pytest.raises(ConfigurationError, match="k = 0"):
        medoids_of_rows(draw_points(4, 2), 0)
