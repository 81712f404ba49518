"""From predictions to arms, differences, a verdict in words, and what the tracker is told of them."""

from typing import Any

import numpy as np
import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.evaluation.calibration import calibrate_arms
from cohortsmith.evaluation.effect_sizes import size_effects
from cohortsmith.evaluation.partitions import CROSS_VALIDATION
from cohortsmith.evaluation.scores import summarise_arms
from cohortsmith.evaluation.settings import (
    Setting,
    compare_setting,
    name_setting,
    number_runs,
    per_setting,
    settings_of,
)
from cohortsmith.evaluation.verdict import Verdict, count_controls, give_verdicts, state_rule

Tables = tuple[pd.DataFrame, pd.DataFrame]


def summarise_predictions(
    predictions: pd.DataFrame, judge: JudgeConfig, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Summarise every arm, compare it with real scans alone, and say in words what follows; each setting by itself."""
    random = np.random.default_rng([seed, judge.bootstrap])
    parts = {setting: _summarise(rows, judge, random) for setting, rows in settings_of(predictions)}
    arms, differences = (
        pd.concat([name_setting(tables[place], setting) for setting, tables in parts.items()], ignore_index=True)
        for place in (0, 1)
    )
    words = {
        "rule": state_rule(judge.confidence, judge.smallest_effect, has_own_draws=judge.has_own_draws),
        "verdicts": [verdict._asdict() for verdict in _verdicts(parts, judge)],
    }
    return arms, differences, words


def size_all_effects(predictions: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    """Size the effect of every arm in every setting."""
    compared = dict(settings_of(differences))
    parts = [
        name_setting(size_effects(number_runs(rows), compared[setting]), setting)
        for setting, rows in settings_of(predictions)
        if setting in compared
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def calibrate_all_arms(predictions: pd.DataFrame) -> pd.DataFrame:
    """Measure the calibration of every arm in every setting."""
    return per_setting(calibrate_arms, predictions)


def _summarise(predictions: pd.DataFrame, judge: JudgeConfig, random: np.random.Generator) -> Tables:
    runs = number_runs(predictions)
    arms = summarise_arms(runs, judge.confidence, judge.bootstrap, random)
    doses = predictions.drop_duplicates("arm").set_index("arm")["n_synthetic"]
    arms.insert(2, "n_synthetic", arms["arm"].map(doses))
    return arms, compare_setting(predictions, judge.confidence, judge.bootstrap, random)


def _verdicts(parts: dict[Setting, Tables], judge: JudgeConfig) -> list[Verdict]:
    called = {True: "repeats", False: "seeds"}
    n_controls = sum(count_controls(arms) for arms, _ in parts.values())
    given = {
        setting: give_verdicts(
            *tables, judge.smallest_effect, called[setting.training_set == CROSS_VALIDATION], n_controls
        )
        for setting, tables in parts.items()
    }
    alone = len(parts) == 1
    return [
        verdict._replace(sentence=verdict.sentence if alone else f"{setting}: {verdict.sentence}", **setting._asdict())
        for setting, verdicts in given.items()
        for verdict in verdicts
    ]


def track_means(arms: pd.DataFrame, differences: pd.DataFrame) -> dict[str, float]:
    """Give the parent run each arm's mean, s.d. and interval, calibration error, and difference from the real arm.

    With several settings every name begins with the setting's.
    """
    metrics: dict[str, float] = {}
    several = len(arms[["training_set", "net"]].drop_duplicates()) > 1
    for row in arms.to_dict("records"):
        name = f"{_prefix(row) if several else ''}{row['test_set']}.{row['arm']}"
        for metric in ("balanced_accuracy", "calibration_error"):
            metrics |= {f"{name}.{metric}.{part}": row[f"{metric}_{part}"] for part in ("mean", "sd")}
        metrics |= {f"{name}.balanced_accuracy.{part}": row[part] for part in ("low", "high")}
    for row in differences.to_dict("records"):
        name = f"{_prefix(row) if several else ''}{row['test_set']}.{row['arm']}_minus_real"
        metrics |= {name: row["difference"], f"{name}.low": row["low"], f"{name}.high": row["high"]}
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def _prefix(row: dict[str, Any]) -> str:
    return f"{row['training_set']}.{row['net']}."
