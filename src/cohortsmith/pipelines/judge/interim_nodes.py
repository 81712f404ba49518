"""The arms so far: what the finished trainings of a grid say while the others run. Nothing is trained or written."""

import sys
from typing import Any

import numpy as np
import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.run import RunConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.scores import summarise_arms
from cohortsmith.evaluation.settings import EXTERNAL, per_setting
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.stored import Stored

from .jobs import PlannedJob, count_trainings
from .predictions import leave_out_diverged, select_runs, tabulate_predictions

_SHOWN = ("training_set", "net", "test_set", "arm", "n_seeds")


def note_plan(
    jobs: dict[str, PlannedJob], judge: JudgeConfig, partitions: pd.DataFrame, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Note what a run is about to train, for whoever looks at it meanwhile: jobs, of how many, by which parameters."""
    return {
        "parameters": _mark(parameters),
        "n_trainings": count_trainings(judge, partitions),
        "jobs": {key: {"fingerprint": one.fingerprint, "about": one.about} for key, one in jobs.items()},
    }


def show_interim(
    study: StudyConfig,
    judge: JudgeConfig,
    partitions: pd.DataFrame,
    plan: dict[str, Any],
    runs: dict[str, Stored],
    seed: int,
    parameters: dict[str, Any],
) -> None:
    """Print how many of all trainings are finished, and the arms by these alone.

    plan: what the run noted; that of other parameters is not shown, as its results are about to be made anew.
    """
    if plan["parameters"] != _mark(parameters):
        told = "No training of this configuration is planned yet"
        sys.stdout.write(f"\n{told} (what a run is given by --params must be given here, too).\n")
        return
    jobs = {key: PlannedJob(None, **one) for key, one in plan["jobs"].items()}
    finished, n_waiting = select_runs(jobs, runs), plan["n_trainings"] - len(jobs)
    waiting = f"; {n_waiting} wait for generators or a search" if n_waiting else ""
    sys.stdout.write(f"\n{len(finished)} of {plan['n_trainings']} trainings are finished{waiting}.\n")
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


def _mark(parameters: dict[str, Any]) -> str:
    # Kedro fills in defaults only for what the pipeline at hand asks for.
    return fingerprint(RunConfig.read(parameters, "parameters").model_dump(mode="json", exclude={"execution"}))


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
