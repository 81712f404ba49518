"""One child run per arm, of the means over all its runs: what a grid of a thousand runs is looked at by."""

from typing import Any

import numpy as np
import pandas as pd

from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.settings import Setting, settings_of
from cohortsmith.records import TrackedRun
from cohortsmith.reporting.arm_names import read_arm

_MEANS = ("balanced_accuracy", "sensitivity", "specificity", "auc", "brier", "calibration_error")


def track_arms(study: StudyConfig, arms: pd.DataFrame, differences: pd.DataFrame) -> list[TrackedRun]:
    """Describe each arm of each setting: its parameters, and means and intervals under the single runs' names."""
    gains = {setting: rows.set_index("arm") for setting, rows in settings_of(differences)}
    return [
        _tracked(study, setting, str(arm), rows, gains.get(setting, pd.DataFrame()))
        for setting, table in settings_of(arms)
        for arm, rows in table.groupby("arm", sort=False)
    ]


def _tracked(study: StudyConfig, setting: Setting, arm: str, rows: pd.DataFrame, gains: pd.DataFrame) -> TrackedRun:
    first = rows.iloc[0]
    metrics = {name: value for row in rows.to_dict("records") for name, value in _means(row).items()}
    if arm in gains.index:
        metrics |= {name: value for row in gains.loc[[arm]].to_dict("records") for name, value in _gains(row).items()}
    return TrackedRun(
        name=" ".join([arm, *filter(None, setting), "mean"]),
        params={
            "kind": "arm",
            "study": study.name,
            "training_set": setting.training_set,
            "net": setting.net,
            "arm": arm,
            "n_synthetic": first.get("n_synthetic", read_arm(arm).dose or 0),
            "n_seeds": first["n_seeds"],
            "labels": "-".join(study.labels),
        },
        metrics={name: float(value) for name, value in metrics.items() if np.isfinite(value)},
        curves={},
        tags={"arm": arm},
    )


def _means(row: dict[str, Any]) -> dict[str, float]:
    test_set = row["test_set"]
    means = {f"{test_set}.{name}": row[f"{name}_mean"] for name in _MEANS}
    name = f"{test_set}.balanced_accuracy"
    return {**means, f"{name}.sd": row["balanced_accuracy_sd"], f"{name}.low": row["low"], f"{name}.high": row["high"]}


def _gains(row: dict[str, Any]) -> dict[str, float]:
    name = f"{row['test_set']}.minus_real"
    return {name: row["difference"], f"{name}.low": row["low"], f"{name}.high": row["high"]}
