"""The arms so far: what the finished trainings of a grid say while the others run. Nothing is trained or written."""

import sys

import numpy as np
import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.scores import summarise_arms
from cohortsmith.evaluation.settings import EXTERNAL, per_setting
from cohortsmith.imaging.stored import Stored

from .jobs import PlannedJob
from .predictions import leave_out_diverged, select_runs, tabulate_predictions

_SHOWN = ("training_set", "net", "test_set", "arm", "n_seeds")


def show_interim(
    study: StudyConfig,
    judge: JudgeConfig,
    partitions: pd.DataFrame,
    jobs: dict[str, PlannedJob],
    runs: dict[str, Stored],
    seed: int,
) -> None:
    """Print how many of the planned trainings are finished, and the arms by these alone."""
    finished = select_runs(jobs, runs)
    sys.stdout.write(f"\n{len(finished)} of {len(jobs)} trainings are finished.\n")
    judged = leave_out_diverged(finished)
    if judged:
        predictions = tabulate_predictions(study, judge, partitions, judged)
        arms = summarise_finished(predictions, judge, seed, partitions["fold"].nunique())
        sys.stdout.write(f"{_table(arms)}\n" if len(arms) else "No repeat of the cross-validation is complete yet.\n")
    sys.stdout.flush()


def summarise_finished(predictions: pd.DataFrame, judge: JudgeConfig, seed: int, n_folds: int) -> pd.DataFrame:
    """Summarise the arms by single runs, and of a cross-validation by its complete repeats of n_folds each."""
    random = np.random.default_rng([seed, judge.bootstrap])
    complete = _complete(predictions, n_folds)
    if complete.empty:
        return complete
    return per_setting(lambda runs: summarise_arms(runs, judge.confidence, judge.bootstrap, random), complete)


def _complete(predictions: pd.DataFrame, n_folds: int) -> pd.DataFrame:
    dealt = predictions["fold"].notna() & (predictions["test_set"] != EXTERNAL)
    of_repeat = predictions.groupby(["training_set", "net", "arm", "seed"])["fold"].transform("nunique")
    return predictions[~dealt | (of_repeat == n_folds)]


def _table(arms: pd.DataFrame) -> str:
    shown = arms[list(_SHOWN)].copy()
    shown["balanced accuracy"] = [
        f"{mean:.3f}" if np.isnan(sd) else f"{mean:.3f} ± {sd:.3f}"
        for mean, sd in zip(arms["balanced_accuracy_mean"], arms["balanced_accuracy_sd"], strict=True)
    ]
    shown["interval"] = [f"[{low:.3f}, {high:.3f}]" for low, high in zip(arms["low"], arms["high"], strict=True)]
    return shown.to_string(index=False)
