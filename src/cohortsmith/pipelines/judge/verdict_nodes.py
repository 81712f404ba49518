"""From predictions to arms, differences, a verdict in words, and what the tracker is told of them."""

from typing import Any

import numpy as np
import pandas as pd

from cohortsmith.config.classifier import ClassifierConfig, read_classifier
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.scores import METRICS, compare_arms, score_runs, summarise_arms
from cohortsmith.evaluation.verdict import give_verdicts, state_rule
from cohortsmith.imaging.stored import Stored
from cohortsmith.records import TrackedRun


def summarise_predictions(
    predictions: pd.DataFrame, judge: JudgeConfig, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Summarise every arm, compare it with real scans alone, and say in words what follows."""
    random = np.random.default_rng([seed, judge.bootstrap])
    arms = summarise_arms(predictions, judge.confidence, judge.bootstrap, random)
    differences = compare_arms(predictions, judge.confidence, judge.bootstrap, random)
    verdicts = give_verdicts(arms, differences, judge.smallest_effect)
    words = {
        "rule": state_rule(judge.confidence, judge.smallest_effect),
        "verdicts": [verdict._asdict() for verdict in verdicts],
    }
    return arms, differences, words


def track_classifiers(
    study: StudyConfig,
    judge: JudgeConfig,
    classifier: dict[str, Any],
    runs: dict[str, Stored],
    predictions: pd.DataFrame,
) -> list[TrackedRun]:
    """Describe every classifier's training as one child run."""
    scores = score_runs(predictions)
    config = read_classifier(classifier)
    return [_tracked(run.record, scores, study, judge, config) for run in runs.values()]


def track_means(arms: pd.DataFrame, differences: pd.DataFrame) -> dict[str, float]:
    """Give the parent run each arm's mean, s.d. and interval, and each difference from the real arm."""
    metrics: dict[str, float] = {}
    for row in arms.to_dict("records"):
        name = f"{row['test_set']}.{row['arm']}.balanced_accuracy"
        metrics |= {f"{name}.{part}": row[f"balanced_accuracy_{part}"] for part in ("mean", "sd")}
        metrics |= {f"{name}.{part}": row[part] for part in ("low", "high")}
    for row in differences.to_dict("records"):
        name = f"{row['test_set']}.{row['arm']}_minus_real"
        metrics |= {name: row["difference"], f"{name}.low": row["low"], f"{name}.high": row["high"]}
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def _tracked(
    record: dict[str, Any], scores: pd.DataFrame, study: StudyConfig, judge: JudgeConfig, classifier: ClassifierConfig
) -> TrackedRun:
    arm, seed = record["arm"], record["seed"]
    own = scores[(scores["arm"] == arm) & (scores["seed"] == seed)]
    return TrackedRun(
        name=f"classifier {arm} seed {seed}",
        params={
            "kind": "classifier",
            "arm": arm,
            "n_synthetic": judge.n_synthetic if "synthetic" in arm else 0,
            "seed": seed,
            "training_set": study.name,
            "external_test_set": study.external_name or "none",
            "labels": "-".join(study.labels),
            "classifier": classifier.kind,
            "optimizer_steps": classifier.optimizer_steps,
        },
        metrics={
            # Balanced accuracy first: MLflow's compare view opens on the first one.
            f"{row['test_set']}.{metric}": float(row[metric])
            for metric in ("balanced_accuracy", *METRICS)
            for row in own.to_dict("records")
        },
        curves={
            "train.loss": [row["loss"] for row in record["history"]],
            "validation.balanced_accuracy": [row["balanced_accuracy"] for row in record["history"]],
        },
        tags={"arm": arm},
    )
