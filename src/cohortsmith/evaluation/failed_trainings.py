"""Which trainings came to nothing: those that diverged, and those whose network hardly learned its training images."""

from collections.abc import Iterable
from math import log
from typing import Any, NamedTuple

import pandas as pd

from cohortsmith.evaluation.scores import CONTROL

GUESSING = log(2)  # cross-entropy in nats of saying "one half" to either of two labels
SHARE_OF_GUESSING = 0.95  # a chosen state whose training loss is at least this share of guessing's hardly learned
DIVERGED, HARDLY_LEARNED = "diverged", "hardly learned"


class FailedTraining(NamedTuple):
    """One training that failed.

    fold: missing (None) outside cross-validation. step: of the chosen state; loss: mean training loss of the steps
    up to it since the look before. Both are missing where the training diverged.
    """

    training_set: str
    net: str
    arm: str
    seed: int
    fold: int | None
    what: str
    step: int | None = None
    loss: float | None = None


def find_failed_trainings(runs: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Find the trainings that failed: a `FailedTraining` per row, in the order of the runs.

    runs: records of classifiers, with `diverged`, or with best_step and history (none: scikit-learn's; they cannot
        fail so). Networks of random labels are not expected to learn, and are listed only where they diverged.
    """
    found = (_failure(run) for run in runs)
    return pd.DataFrame([one for one in found if one is not None], columns=list(FailedTraining._fields))


def chosen_loss(run: dict[str, Any]) -> float | None:
    """Give the training loss at the step whose state was kept; None without steps, or where it diverged."""
    looks = run.get("history", ())
    return next((float(look["loss"]) for look in looks if look["step"] == run["best_step"]), None)


def _failure(run: dict[str, Any]) -> FailedTraining | None:
    who = (run["training_set"], run["net"], run["arm"], run["seed"], run["fold"])
    if "diverged" in run:
        return FailedTraining(*who, DIVERGED)
    loss = chosen_loss(run)
    if loss is None or loss < SHARE_OF_GUESSING * GUESSING or run["arm"] == CONTROL:
        return None
    return FailedTraining(*who, HARDLY_LEARNED, run["best_step"], loss)
