"""Judge every setting by itself: a training set, or the cross-validation, with one kind of network.

Predictions are those of `evaluation/scores.py` with, where there are several settings, the columns training_set and
net; and fold, in cross-validation, where seed numbers the repeats.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from cohortsmith.evaluation.cross_validation import compare_cross_validated, pool_folds, widen_by_folds
from cohortsmith.evaluation.scores import compare_arms

EXTERNAL = "external"
_NAMES = ("training_set", "net")


class Setting(NamedTuple):
    """What classifiers were trained on, and which network they are."""

    training_set: str
    net: str

    def __str__(self) -> str:
        return f"{self.training_set}, {self.net} network"


def settings_of(table: pd.DataFrame) -> Iterator[tuple[Setting, pd.DataFrame]]:
    """Give each setting with its rows, in the order of the table; a table that names none is one setting."""
    names = {name: table.get(name, "") for name in _NAMES}
    named = table.assign(**names)
    for key, rows in named.groupby(list(_NAMES), sort=False):
        yield Setting(*map(str, key)), rows.drop(columns=list(_NAMES))


def per_setting(judge: Callable[[pd.DataFrame], pd.DataFrame], predictions: pd.DataFrame) -> pd.DataFrame:
    """Apply a function to the runs of every setting; its tables below each other, training_set and net in front."""
    parts = [name_setting(judge(number_runs(rows)), setting) for setting, rows in settings_of(predictions)]
    return pd.concat(parts, ignore_index=True)


def name_setting(table: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """Put training_set and net in front of a table's columns."""
    front = pd.DataFrame({name: [value] * len(table) for name, value in setting._asdict().items()}, dtype=str)
    return pd.concat([front, table.reset_index(drop=True)], axis=1)


def number_runs(predictions: pd.DataFrame) -> pd.DataFrame:
    """Make every run a seed of its own, and drop the column fold.

    The folds of a repeat are pooled where they test different subjects. Subjects of an external study are tested by
    every fold: there, each fold of each repeat is a run.

    Raises:
        StudyError: a subject of the study is tested in two folds of a repeat.
    """
    if not _has_folds(predictions):
        return predictions.drop(columns="fold", errors="ignore")
    outside = predictions["test_set"] == EXTERNAL
    external = predictions[outside]
    n_folds = int(predictions["fold"].max()) + 1
    external = external.assign(seed=external["seed"] * n_folds + external["fold"].astype(int))
    return pd.concat([pool_folds(predictions[~outside]), external.drop(columns="fold")], ignore_index=True)


def compare_setting(
    predictions: pd.DataFrame, confidence: float, n_draws: int, random: np.random.Generator
) -> pd.DataFrame:
    """Compare the arms of one setting with its real arm: as `compare_arms`, or by folds where there are any."""
    runs = number_runs(predictions)
    if not _has_folds(predictions):
        return compare_arms(runs, confidence, n_draws, random)
    own = predictions[predictions["test_set"] != EXTERNAL]
    parts = [compare_cross_validated(own, confidence, n_draws, random)]
    external = runs[runs["test_set"] == EXTERNAL]
    if len(external):
        compared = compare_arms(external, confidence, n_draws, random)
        parts.append(widen_by_folds(compared, predictions[predictions["test_set"] == EXTERNAL]))
    return pd.concat(parts, ignore_index=True)


def _has_folds(predictions: pd.DataFrame) -> bool:
    return "fold" in predictions and bool(predictions["fold"].notna().any())
