"""The arms so far: what the finished trainings of a grid say while the others run. Nothing is trained or written."""

import sys
from typing import Any

import numpy as np
import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.scores import summarise_arms
from cohortsmith.evaluation.settings import EXTERNAL, per_setting
from cohortsmith.imaging.stored import Stored

from .jobs import PlannedJob
from .predictions import leave_out_diverged, select_runs, tabulate_predictions
from .sources import Sources, gather_sources

_SHOWN = ("training_set", "net", "test_set", "arm", "n_seeds")


def gather_finished_sources(
    study: StudyConfig,
    split: SplitConfig,
    judge: JudgeConfig,
    partitions: pd.DataFrame,
    records: dict[str, Stored],
    *own: Any,
) -> Sources:
    """Gather what there is of `gather_sources`: in the middle of a run, perhaps nothing."""
    try:
        return gather_sources(
            study, split, judge, partitions, records, *([] if any(one is None for one in own) else own)
        )
    except StudyError:  # of generators that this run is about to make anew
        return {}


def show_interim(
    study: StudyConfig,
    judge: JudgeConfig,
    partitions: pd.DataFrame,
    jobs: dict[str, PlannedJob],
    n_jobs: int,
    runs: dict[str, Stored],
    seed: int,
) -> None:
    """Print how many of all n_jobs trainings are finished, and the arms by these alone; jobs: what can be planned."""
    finished = select_runs(jobs, runs)
    waiting = f"; {n_jobs - len(jobs)} wait for generators or a search" if len(jobs) < n_jobs else ""
    sys.stdout.write(f"\n{len(finished)} of {n_jobs} trainings are finished{waiting}.\n")
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
