"""Reference lines: what one clinical number alone tells, by the same partitions and the same measure."""

import numpy as np
import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.reference_lines import predict_from_columns
from cohortsmith.evaluation.scores import summarise_arms
from cohortsmith.evaluation.settings import per_setting

COLUMNS = ("training_set", "net", "test_set", "column")


def draw_reference_lines(
    study: StudyConfig, judge: JudgeConfig, splits: pd.DataFrame, partitions: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Summarise a logistic regression on each of `judge.reference_columns` as arms are.

    One row per training set (or the cross-validation), test set and column.
    """
    predictions = predict_from_columns(splits, partitions, judge.reference_columns, study.labels)
    if predictions.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    random = np.random.default_rng([seed, judge.bootstrap, len(predictions)])
    lines = per_setting(lambda runs: summarise_arms(runs, judge.confidence, judge.bootstrap, random), predictions)
    return lines.rename(columns={"arm": "column"})


def track_reference_lines(lines: pd.DataFrame) -> dict[str, float]:
    """Give the parent run each line's balanced accuracy with its interval."""
    metrics = {}
    for row in lines.to_dict("records"):
        name = f"reference.{row['training_set']}.{row['test_set']}.{row['column']}.balanced_accuracy"
        metrics |= {name: row["balanced_accuracy_mean"], f"{name}.low": row["low"], f"{name}.high": row["high"]}
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}
