"""Split a cohort by subject into train, validation and test, alike in age, sex and site.

Source: the protocol of Chadebec et al. (TPAMI 2022), section 4, as ClinicaDL's `split` carries it out. Two things
differ: the search is bounded and seeded, and sex is tested on counts, since on proportions the chi-square does not
see how many subjects there are.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cohortsmith.config.split import SplitConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.leakage import person_of
from cohortsmith.evaluation.matching import draw_alike, read_traits
from cohortsmith.evaluation.sessions import first_sessions
from cohortsmith.evaluation.split_quality import FULL, subset_size

SPLITS = ("train", "validation", "test")
# Training subjects that the run's training set leaves out.
UNUSED = "unused"


class Sizes(NamedTuple):
    """How many subjects of one diagnosis go where."""

    train: int
    validation: int
    test: int


def split_subjects(participants: pd.DataFrame, config: SplitConfig, labels: Sequence[str]) -> pd.DataFrame:
    """Assign each subject of every diagnosis to a set: a copy with the columns `split` and `training_set`.

    participants: one row per session, with participant_id, diagnosis, and age (years), sex and site where known; all
        sessions of a subject stay together. labels: the diagnoses to be split; other rows are refused.
    split: train, validation, test, or unused (in the full training set, but not in the one this run learns from).
    training_set: the smallest training set that the subject belongs to (train-50, ..., train-full), missing for the
        others. Neither test nor validation set depends on the training sets asked for.

    Raises:
        StudyError: too few subjects of a diagnosis, a subject with two diagnoses, or an unknown diagnosis.
    """
    subjects = first_sessions(participants)
    _check_diagnoses(participants, labels)
    parts = [_split_group(subjects[subjects["diagnosis"] == label], config, i) for i, label in enumerate(labels)]
    assigned = pd.concat(parts)
    assigned.index = pd.Index(assigned["participant_id"].map(person_of))
    persons = participants["participant_id"].map(person_of)
    return participants.assign(**{name: persons.map(assigned[name]) for name in ("split", "training_set")})


def count_sizes(n: int, config: SplitConfig, label: str = "") -> Sizes:
    """Share out n subjects of one diagnosis: test of all, validation of the rest; shares are rounded down.

    Raises:
        StudyError: fewer than `minimum_per_class` or than a training set asks for would be left to train on, or a
            wanted set would be empty.
    """
    test = count(config.test, n)
    validation = count(config.validation, n - test)
    sizes = Sizes(n - validation - test, validation, test)
    needed = max(config.minimum_per_class, *config.train_subsets, 0)
    empty = [name for name in ("validation", "test") if getattr(config, name) > 0 and getattr(sizes, name) == 0]
    if sizes.train < needed or empty:
        raise StudyError(
            "too few subjects of a diagnosis to split",
            where=f"diagnosis {label}",
            got=f"{n} subjects: {sizes.train} train, {sizes.validation} validation, {sizes.test} test",
            expected=f"at least {needed} to train on, and none of the wanted sets empty",
            remedy="add subjects, change split.test or split.validation, or lower minimum_per_class and train_subsets",
        )
    return sizes


def count(wanted: float, n: int) -> int:
    """Count subjects: `wanted` itself, or a share of n below 1, rounded down as in the paper (0.2 of 303 is 60)."""
    # 0.29 * 100 is 28.999999999999996.
    return int(wanted) if wanted >= 1 else math.floor(round(wanted * n, 9))


def _split_group(subjects: pd.DataFrame, config: SplitConfig, place: int) -> pd.DataFrame:
    label = str(subjects["diagnosis"].iloc[0]) if len(subjects) else f"{place + 1} of the study"
    sizes = count_sizes(len(subjects), config, label)
    test, rest = _draw(subjects, sizes.test, config, [place, 0])
    validation, train = _draw(rest, sizes.validation, config, [place, 1])
    training_sets = _name_training_sets(train, config, place)
    is_seen = training_sets.map(subset_size) <= subset_size(f"train-{config.train_on}")
    return pd.concat(
        [
            test.assign(split="test", training_set=None),
            validation.assign(split="validation", training_set=None),
            train.assign(split=np.where(is_seen, "train", UNUSED), training_set=training_sets),
        ]
    )


def _name_training_sets(train: pd.DataFrame, config: SplitConfig, place: int) -> pd.Series:
    names, larger = pd.Series(FULL, index=train.index), train
    for size in sorted(set(config.train_subsets), reverse=True):
        larger, _ = _draw(larger, size, config, [place, 2, size])
        names[larger.index] = f"train-{size}"
    return names


def _draw(
    subjects: pd.DataFrame, size: int, config: SplitConfig, place: list[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng([config.seed, *place])
    drawn = draw_alike(read_traits(subjects, config.match), size, config.candidates, random)
    return subjects[drawn], subjects[~drawn]


def _check_diagnoses(participants: pd.DataFrame, labels: Sequence[str]) -> None:
    persons = participants["participant_id"].map(person_of)
    changing = int((participants["diagnosis"].groupby(persons).nunique(dropna=False) > 1).sum())
    unknown = sorted(set(participants["diagnosis"].map(str)) - set(labels))
    if changing or unknown:
        raise StudyError(
            "subjects cannot be split by diagnosis",
            where="split",
            got=f"{changing} subjects with several diagnoses, diagnoses outside the study: {unknown}",
            expected=f"one diagnosis per subject, of {', '.join(labels)}",
            remedy="select the sessions of subjects whose diagnosis is stable before splitting",
        )
