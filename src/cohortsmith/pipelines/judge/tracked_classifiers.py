"""What the tracker is told of one classifier's training, as soon as it is done."""

from typing import Any

import pandas as pd

from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.failed_trainings import chosen_loss, find_failed_trainings
from cohortsmith.evaluation.scores import METRICS, score_runs
from cohortsmith.records import TrackedRun

from .jobs import Networks
from .predictions import predictions_of


def track_classifier(
    study: StudyConfig, networks: Networks, partition: pd.DataFrame, record: dict[str, Any]
) -> TrackedRun:
    """Describe one training as a child run; one that diverged has no scores. partition: its rows."""
    classifier = networks[record["net"]]
    fold = {} if record["fold"] is None else {"fold": record["fold"]}
    where = "" if record["fold"] is None else f" fold {record['fold']}"
    return TrackedRun(
        name=f"classifier {record['training_set']} {record['net']} {record['arm']} seed {record['seed']}{where}",
        params={
            "kind": "classifier",
            "study": study.name,
            "training_set": record["training_set"],
            "net": record["net"],
            "arm": record["arm"],
            "n_synthetic": record["n_synthetic"],
            "seed": record["seed"],
            **fold,
            "external_test_set": study.external_name or "none",
            "labels": "-".join(study.labels),
            "classifier": classifier.kind,
            "optimizer_steps": classifier.optimizer_steps,
        },
        metrics=_scores(study, partition, record) | _chosen(record),
        curves={
            "train.loss": [row["loss"] for row in record.get("history", [])],
            "validation.balanced_accuracy": [row["balanced_accuracy"] for row in record.get("history", [])],
        },
        tags={"arm": record["arm"], **_failure(record)},
    )


def _scores(study: StudyConfig, partition: pd.DataFrame, record: dict[str, Any]) -> dict[str, float]:
    if "diverged" in record:
        return {}
    rows = score_runs(predictions_of(record, study, partition)).to_dict("records")
    # Balanced accuracy first: MLflow's compare view opens on the first one.
    names = ("balanced_accuracy", *METRICS)
    return {f"{row['test_set']}.{metric}": float(row[metric]) for metric in names for row in rows}


def _failure(record: dict[str, Any]) -> dict[str, str]:
    failed = find_failed_trainings([record])["what"].tolist()
    return {"failed": failed[0]} if failed else {}


def _chosen(record: dict[str, Any]) -> dict[str, float]:
    loss = chosen_loss(record)
    return {} if loss is None else {"chosen.step": float(record["best_step"]), "chosen.training_loss": loss}
