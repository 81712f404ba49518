"""Split a cohort by subject into train, validation and test, alike in age and sex.

Source: the protocol of Chadebec et al. (TPAMI 2022), section 4, as ClinicaDL's `split` carries it out. Two things
differ: the search is bounded and seeded, and sex is tested on counts, since on proportions the chi-square does not
see how many subjects there are.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from cohortsmith.config.study import SplitConfig
from cohortsmith.errors import StudyError

SPLITS = ("train", "validation", "test")


class Sizes(NamedTuple):
    """How many subjects of one diagnosis go where."""

    train: int
    validation: int
    test: int


def split_subjects(
    participants: pd.DataFrame, config: SplitConfig, labels: Sequence[str], candidates: int = 100
) -> pd.DataFrame:
    """Assign each subject of every diagnosis to train, validation or test: a copy with a `split` column.

    participants: one row per session, with participant_id, diagnosis, and age (years) and sex where known; all
        sessions of a subject stay together. labels: the diagnoses to be split; other rows are refused.
    candidates: how many random splits of each diagnosis are tried; the one whose smallest p-value
        (`compare_splits`) is largest wins.

    Raises:
        StudyError: too few subjects of a diagnosis, a subject with two diagnoses, or an unknown diagnosis.
    """
    subjects = first_sessions(participants)
    _check_diagnoses(participants, labels)
    groups = [subjects[subjects["diagnosis"] == label] for label in labels]
    sizes = [count_sizes(len(group), config, label) for group, label in zip(groups, labels, strict=True)]
    best = [
        max((_draw_split(group, size, [config.seed, i, k]) for k in range(candidates)), key=_worst_p_value)
        for i, (group, size) in enumerate(zip(groups, sizes, strict=True))
    ]
    by_subject = pd.concat(best).set_index("participant_id")["split"]
    return participants.assign(split=participants["participant_id"].map(by_subject))


def count_sizes(n: int, config: SplitConfig, label: str = "") -> Sizes:
    """Share out n subjects of one diagnosis; fractions are of all n, rounded to the nearest subject.

    Raises:
        StudyError: fewer than `minimum_per_class` would be left to train on, or a split would be empty.
    """
    test, validation = round(n * config.test_fraction), round(n * config.validation_fraction)
    sizes = Sizes(n - validation - test, validation, test)
    wanted = {"validation": config.validation_fraction, "test": config.test_fraction}
    empty = [name for name, fraction in wanted.items() if fraction > 0 and getattr(sizes, name) == 0]
    if sizes.train < config.minimum_per_class or empty:
        raise StudyError(
            "too few subjects of a diagnosis to split",
            where=f"diagnosis {label}",
            got=f"{n} subjects: {sizes.train} train, {sizes.validation} validation, {sizes.test} test",
            expected=f"at least {config.minimum_per_class} to train on, and none of the wanted splits empty",
            remedy="add subjects, change split.test_fraction or validation_fraction, or lower minimum_per_class",
        )
    return sizes


def compare_splits(split: pd.DataFrame) -> pd.DataFrame:
    """Test whether age and sex differ between the splits: one row per diagnosis and comparison.

    Compared: test against the rest, then validation against train. p_age: two-sided Student t-test, equal
    variances, missing ages left out. p_sex: chi-square test of independence on counts, uncorrected. A p-value is 1
    where there is nothing to compare (one sex only, no age, fewer than 2 subjects).
    """
    subjects = first_sessions(split)
    rows = [
        {"diagnosis": label, "compared": name, "p_age": _p_age(one, other), "p_sex": _p_sex(one, other)}
        for label, group in subjects.groupby("diagnosis")
        for name, one, other in _comparisons(group)
    ]
    return pd.DataFrame(rows, columns=["diagnosis", "compared", "p_age", "p_sex"])


def first_sessions(participants: pd.DataFrame) -> pd.DataFrame:
    """Keep each subject's first session (by name), ordered by subject; age and mmse become numbers or NaN."""
    by = [column for column in ("participant_id", "session_id") if column in participants]
    first = participants.sort_values(by).drop_duplicates("participant_id").reset_index(drop=True)
    missing: dict[str, float] = dict.fromkeys({"age", "sex", "mmse"} - set(first), np.nan)
    first = first.assign(**missing)
    return first.assign(**{name: pd.to_numeric(first[name], errors="coerce") for name in ("age", "mmse")})


def _check_diagnoses(participants: pd.DataFrame, labels: Sequence[str]) -> None:
    per_subject = participants.groupby("participant_id")["diagnosis"].nunique(dropna=False)
    changing = int((per_subject > 1).sum())
    unknown = sorted(set(participants["diagnosis"].map(str)) - set(labels))
    if changing or unknown:
        raise StudyError(
            "subjects cannot be split by diagnosis",
            where="split",
            got=f"{changing} subjects with several diagnoses, diagnoses outside the study: {unknown}",
            expected=f"one diagnosis per subject, of {', '.join(labels)}",
            remedy="select the sessions of subjects whose diagnosis is stable before splitting",
        )


def _draw_split(group: pd.DataFrame, sizes: Sizes, seed: list[int]) -> pd.DataFrame:
    return group.assign(split=np.random.default_rng(seed).permutation(np.repeat(SPLITS, sizes)))


def _worst_p_value(split: pd.DataFrame) -> float:
    return float(compare_splits(split)[["p_age", "p_sex"]].to_numpy().min(initial=1.0))


def _comparisons(group: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    test, rest = group[group["split"] == "test"], group[group["split"].isin(["train", "validation"])]
    if len(test):
        yield "test with the rest", test, rest
    validation, train = rest[rest["split"] == "validation"], rest[rest["split"] == "train"]
    if len(validation):
        yield "validation with train", validation, train


def _p_age(one: pd.DataFrame, other: pd.DataFrame) -> float:
    ages = [part["age"].to_numpy()[part["age"].notna()] for part in (one, other)]
    if min(map(len, ages)) < 2 or np.ptp(np.concatenate(ages)) == 0:
        return 1.0
    return float(stats.ttest_ind(*ages).pvalue)


def _p_sex(one: pd.DataFrame, other: pd.DataFrame) -> float:
    sexes = [part["sex"].to_numpy()[part["sex"].notna()] for part in (one, other)]
    counts = np.array([[np.sum(part == sex) for sex in set(np.concatenate(sexes))] for part in sexes])
    if counts.shape[1] < 2 or counts.sum(axis=1).min() == 0:
        return 1.0
    return float(stats.chi2_contingency(counts, correction=False).pvalue)
