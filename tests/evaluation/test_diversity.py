"""Pairs are drawn fairly, and the interval of their mean knows that pairs share images."""

import numpy as np
import pytest

from cohortsmith.evaluation.diversity import compare_diversity, measure_similarity


def product(one: np.ndarray, other: np.ndarray) -> float:
    return float(one * other)


def test_all_pairs_are_taken_once_where_there_are_few() -> None:
    seen = []
    images = np.arange(6.0)
    found = measure_similarity(
        images, np.random.default_rng(0), 100, lambda one, other: seen.append((float(one), float(other))) or 0.0
    )
    assert sorted(seen) == [(i, j) for i in range(6) for j in range(i + 1, 6)]
    assert (found.n_images, found.n_pairs, found.standard_error) == (6, 15, 0)


def test_as_many_different_pairs_are_drawn_as_asked_for_from_many_images() -> None:
    found = measure_similarity(np.arange(1000.0), np.random.default_rng(0), 50, product)
    assert found.n_pairs == 50


@pytest.mark.statistical
@pytest.mark.parametrize("n_pairs", [60, 400])
def test_the_standard_error_is_the_spread_over_cohorts(n_pairs: int) -> None:
    random = np.random.default_rng(1)
    found = [measure_similarity(random.normal(1, 1, 40), random, n_pairs, product) for _ in range(300)]
    spread = np.std([one.mean for one in found])
    typical = np.sqrt(np.mean([one.standard_error**2 for one in found]))
    # the spread of 300 is known to 4 %; the mean of each cohort is fitted, which costs about one in 40
    assert typical == pytest.approx(spread, rel=0.15)


@pytest.mark.statistical
def test_equally_diverse_sets_are_seldom_told_apart() -> None:
    random = np.random.default_rng(2)
    told = [
        compare_diversity(random.normal(1, 1, 100), random.normal(1, 1, 40), random, similarity=product)
        for _ in range(200)
    ]
    wrong = np.mean([one.low > 0 or one.high < 0 for one in told])
    assert wrong == pytest.approx(0.05, abs=0.05)


def test_the_words_follow_from_the_interval() -> None:
    random = np.random.default_rng(0)
    same, varied = np.full((30, 1), 0.5), random.normal(size=(30, 1))
    similarity = lambda one, other: -float((one - other).item() ** 2)  # noqa: E731
    compare = lambda one, other: compare_diversity(one, other, random, similarity=similarity)  # noqa: E731
    assert "are less diverse than real ones" in compare(same, varied).sentence()
    assert "differ more among themselves" in compare(varied, same).sentence()
    assert "are not shown to be less diverse" in compare(varied, varied).sentence()
    assert compare(same, varied).difference > 0
