"""The search for alike sets: its p-values are scipy's, its draws are fair, and searching longer never hurts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cohortsmith.evaluation.matching import (
    Traits,
    draw_alike,
    draw_candidates,
    known,
    p_ages,
    p_sexes,
    read_traits,
)

seeds = st.integers(0, 2**32 - 1)


def draw_subjects(n: int, seed: int, n_sites: int = 5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": np.where(random.random(n) < 0.1, np.nan, random.normal(74, 7, n).round(1)),
            "sex": random.choice(["F", "M", "O", "n/a"], n, p=[0.5, 0.35, 0.1, 0.05]),
            "site": random.integers(0, n_sites, n).astype(str),
        }
    )


def known_parts(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    there = ~pd.isna(values)
    return values[mask & there], values[~mask & there]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(12, 60), seed=seeds)
def test_p_values_are_those_of_scipy(n: int, seed: int) -> None:
    subjects = draw_subjects(n, seed)
    traits = read_traits(subjects, ("age", "sex"))
    masks = draw_candidates(traits.sites, n // 2, 4, np.random.default_rng(seed))
    sexes = known(subjects, "sex").to_numpy(object, na_value=None)
    ages = [stats.ttest_ind(*known_parts(subjects["age"].to_numpy(), mask)).pvalue for mask in masks]
    counts = [
        [[np.sum(part == sex) for sex in set(sexes) - {None}] for part in known_parts(sexes, mask)] for mask in masks
    ]
    chi = [stats.chi2_contingency(count, correction=False).pvalue for count in counts]
    np.testing.assert_allclose(p_ages(masks, traits.ages), ages, atol=1e-9)
    np.testing.assert_allclose(p_sexes(masks, traits.sexes), chi, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(sites=st.lists(st.integers(0, 6), min_size=2, max_size=40), share=st.floats(0.01, 0.99), seed=seeds)
def test_each_draw_has_its_size_and_each_site_its_share(sites: list[int], share: float, seed: int) -> None:
    n, numbers = len(sites), np.array(sites)
    size = max(1, int(share * n))
    masks = draw_candidates(numbers, size, 6, np.random.default_rng(seed))
    assert (masks.sum(axis=1) == size).all()
    for site in set(sites):
        wanted = size * np.mean(numbers == site)
        assert (np.abs(masks[:, numbers == site].sum(axis=1) - wanted) < 1).all()


@pytest.mark.statistical
def test_every_subject_is_drawn_equally_often_however_small_its_site() -> None:
    sites, count = np.array([0] * 7 + [1] * 3 + [2, 3, 4]), 20_000
    taken = draw_candidates(sites, 4, count, np.random.default_rng(1)).mean(axis=0)
    p = 4 / len(sites)
    assert np.abs(taken - p).max() < 4 * np.sqrt(p * (1 - p) / count)


@pytest.mark.statistical
def test_what_is_not_matched_stays_random() -> None:
    """A trait that no one looked at differs between the sets by chance alone: its p-values are uniform."""
    n, p_values = 90, []
    for seed in range(150):
        random = np.random.default_rng([3, seed])
        traits = read_traits(draw_subjects(n, seed), ("age", "sex", "site"))
        hidden = random.normal(size=n)
        drawn = draw_alike(traits, 30, 50, random)
        p_values.append(stats.ttest_ind(hidden[drawn], hidden[~drawn]).pvalue)
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


@settings(max_examples=20, deadline=None)
@given(seed=seeds, more=st.integers(2, 400))
def test_more_candidates_never_match_worse(seed: int, more: int) -> None:
    traits = read_traits(draw_subjects(40, seed), ("age", "sex", "site"))

    def worst(candidates: int) -> float:
        drawn = draw_alike(traits, 12, candidates, np.random.default_rng(seed))[None]
        return min(p_ages(drawn, traits.ages)[0], p_sexes(drawn, traits.sexes)[0])

    assert worst(more) >= worst(1)


def test_blocks_do_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    traits = read_traits(draw_subjects(40, 5), ("age", "sex"))
    whole = draw_alike(traits, 12, 300, np.random.default_rng(2))
    monkeypatch.setattr("cohortsmith.evaluation.matching._BLOCK", 200)
    np.testing.assert_array_equal(draw_alike(traits, 12, 300, np.random.default_rng(2)), whole)


@pytest.mark.parametrize(("size", "drawn"), [(0, 0), (9, 9)])
def test_none_and_all_need_no_search(size: int, drawn: int) -> None:
    traits = read_traits(draw_subjects(9, 1), ("age",))
    assert draw_alike(traits, size, 5, np.random.default_rng(0)).sum() == drawn


def test_where_there_is_nothing_to_test_p_is_one() -> None:
    masks = np.array([[True, True, False, False, False], [True, False, False, False, False]])
    same = np.full(5, 70.1)
    assert p_ages(masks, same).tolist() == [1, 1]
    assert p_ages(masks, np.array([np.nan, 60, 70, 80, np.nan])).tolist() == [1, 1]
    assert p_ages(masks, np.array([60.0, 61, 70, 80, 75]))[1] == 1
    assert p_sexes(masks, np.ones((5, 1))).tolist() == [1, 1]
    assert p_sexes(masks, np.array([[0, 0], [0, 0], [1, 0], [0, 1], [1, 0]], float)).tolist() == [1, 1]


def test_what_is_not_to_be_matched_is_not_read() -> None:
    traits = read_traits(draw_subjects(9, 1), ())
    assert np.isnan(traits.ages).all() and traits.sexes.shape == (9, 0) and set(traits.sites) == {0}


def test_sites_are_numbered_from_the_largest_and_the_unknown_ones_are_one() -> None:
    sites = ["x", "b", "b", None, "n/a", "b"]
    traits = read_traits(pd.DataFrame({"age": 70.0, "site": sites}), ("age", "site"))
    assert traits.sites.tolist() == [2, 0, 0, 1, 1, 0]
    assert isinstance(traits, Traits)
