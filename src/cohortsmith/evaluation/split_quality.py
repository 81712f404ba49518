"""How alike the sets of a split are in age, sex and site."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from cohortsmith.config.split import SplitConfig
from cohortsmith.evaluation.matching import known
from cohortsmith.evaluation.sessions import first_sessions

FULL = "train-full"


class Comparison(NamedTuple):
    """Two sets of subjects of one diagnosis."""

    name: str
    one: pd.DataFrame
    other: pd.DataFrame


class Quality(NamedTuple):
    """One comparison: a row of `compare_splits`.

    subjects, others: numbers compared. p_age, p_sex, p_site: NaN where there is nothing to test.
    reached: whether no p-value of what was to be matched lies below the target. site: how far sites were compared.
    """

    diagnosis: str
    compared: str
    subjects: int
    others: int
    p_age: float
    p_sex: float
    p_site: float
    target_p: float
    reached: bool
    site: str


def compare_splits(split: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    """Test whether age, sex and site differ between the sets: one row per diagnosis and comparison (`Quality`).

    Compared: test with the rest, validation with training, each smaller training set with what is left of the next
    larger one. Age: two-sided Student t-test, equal variances. Sex: chi-square test of independence on counts,
    uncorrected; on shares it would not see how many subjects there are. Site: the same, sites of one subject pooled;
    its p-value is approximate where sites are small. Unknown values are left out. Subjects of the external study
    are not compared.
    """
    subjects = first_sessions(split[split["split"] != "external"])
    rows = [
        _qualify(str(label), comparison, config)
        for label, group in subjects.groupby("diagnosis", sort=False)
        for comparison in _comparisons(group)
    ]
    return pd.DataFrame(rows, columns=list(Quality._fields))


def subset_size(name: str) -> float:
    """Give the size per diagnosis of a training set by its name; the full one is infinite."""
    size = name.removeprefix("train-")
    return float(size) if size.isdigit() else np.inf


def _qualify(label: str, comparison: Comparison, config: SplitConfig) -> Quality:
    name, one, other = comparison
    p_site, words = _p_site(one, other)
    p_values = {"age": _p_age(one, other), "sex": _p_sex(one, other), "site": p_site}
    reached = not any(p_values[trait] < config.target_p for trait in config.match)
    age, sex, site = p_values.values()
    return Quality(label, name, len(one), len(other), age, sex, site, config.target_p, reached, words)


def _comparisons(group: pd.DataFrame) -> Iterator[Comparison]:
    is_test, is_validation = group["split"] == "test", group["split"] == "validation"
    pairs = [
        Comparison("test with the rest", group[is_test], group[~is_test]),
        Comparison("validation with train", group[is_validation], group[~is_test & ~is_validation]),
        *_subset_comparisons(group[~is_test & ~is_validation]),
    ]
    yield from (pair for pair in pairs if len(pair.one) and len(pair.other))


def _subset_comparisons(train: pd.DataFrame) -> Iterator[Comparison]:
    if "training_set" not in train:
        return
    sizes = train["training_set"].fillna(FULL).map(subset_size)
    for size in sorted({value for value in sizes if np.isfinite(value)}):
        larger = min(value for value in (*sizes, np.inf) if value > size)
        rest = train[(sizes > size) & (sizes <= larger)]
        whole = FULL if np.isinf(larger) else f"train-{larger:.0f}"
        yield Comparison(f"train-{size:.0f} with the rest of {whole}", train[sizes <= size], rest)


def _p_age(one: pd.DataFrame, other: pd.DataFrame) -> float:
    ages = [part["age"].dropna().to_numpy(float) for part in (one, other)]
    if min(map(len, ages)) < 2 or np.ptp(np.concatenate(ages)) == 0:
        return np.nan
    return float(stats.ttest_ind(*ages).pvalue)


def _p_sex(one: pd.DataFrame, other: pd.DataFrame) -> float:
    return _independence(known(one, "sex"), known(other, "sex"))


def _p_site(one: pd.DataFrame, other: pd.DataFrame) -> tuple[float, str]:
    sites = [known(part, "site") for part in (one, other)]
    counts = pd.concat(sites).value_counts()
    if len(counts) < 2:
        return np.nan, "one site" if len(counts) else "sites are not known"
    alone = counts.index[counts == 1]
    words = f"{len(counts)} sites" + (f", {len(alone)} with a single subject pooled" * bool(len(alone)))
    if len(counts) > min(len(one), len(other)):
        words += ": too many for every one to be in both sets"
    return _independence(*(part.mask(part.isin(alone), "pooled") for part in sites)), words


def _independence(one: pd.Series, other: pd.Series) -> float:
    counts = pd.DataFrame({"one": one.value_counts(), "other": other.value_counts()}).fillna(0).to_numpy(float)
    if len(counts) < 2 or counts.sum(axis=0).min() == 0:
        return np.nan
    return float(stats.chi2_contingency(counts, correction=False).pvalue)
