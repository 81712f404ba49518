"""GAN-train and GAN-test of the study's generators, from trainings that the arms need anyway."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.evaluation.gan_train_test import contrast_gan_test, from_arms, score_gan_train_test, word_gan_test
from cohortsmith.evaluation.scores import REFERENCE
from cohortsmith.evaluation.settings import Setting, name_setting, number_runs, settings_of
from cohortsmith.imaging.stored import Stored

from .jobs import GAN_TEST, N_LABELS

BOTH = {"test", GAN_TEST}


def gan_scores(
    judge: JudgeConfig, predictions: pd.DataFrame, runs: dict[str, Stored], seed: int
) -> tuple[pd.DataFrame, list[str]]:
    """Score GAN-train and GAN-test beside the baseline, each setting by itself; and say what GAN-test tells.

    GAN-train: the synthetic arm, of the largest dose if there are several, on real test subjects. GAN-test: the real
    arm on synthetic images. One `GanScore` per row, with training_set and net in front.
    """
    random = np.random.default_rng([seed, judge.bootstrap])
    largest = [named.name for named in judge.named_arms if named.arm == "synthetic"][-1:]
    wanted = predictions[predictions["arm"].isin([REFERENCE, *largest])].replace(
        {"arm": dict.fromkeys(largest, "synthetic")}
    )
    tables, words = [], []
    for setting, rows in settings_of(pd.concat([wanted, *_seen(runs)], ignore_index=True)):
        numbered = number_runs(rows)
        tables.append(name_setting(score_gan_train_test(from_arms(numbered)), setting))
        words += _words(setting, numbered, judge, random)
    return pd.concat(tables, ignore_index=True), words


def track_gan_scores(scores: pd.DataFrame) -> dict[str, float]:
    """Give the parent run `gan.train.balanced_accuracy`, `gan.test.…` and `gan.baseline.…`, mean and s.d. over seeds.

    With several settings every name begins with the setting's.
    """
    metrics: dict[str, float] = {}
    several = len(scores[["training_set", "net"]].drop_duplicates()) > 1
    for row in scores.to_dict("records"):
        setting = f"{row['training_set']}.{row['net']}." if several else ""
        name = f"{setting}gan.{row['score'].removeprefix('gan-')}.balanced_accuracy"
        metrics |= {name: row["balanced_accuracy_mean"], f"{name}.sd": row["balanced_accuracy_sd"]}
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def _seen(runs: dict[str, Stored]) -> Iterator[pd.DataFrame]:
    """Give what the real arm's networks say of synthetic images: controls first, as many of each label."""
    for run in runs.values():
        record: dict[str, Any] = run.record
        probabilities = record.get("probabilities", {}).get(GAN_TEST)
        if probabilities is not None:
            fold = record["fold"]
            names = [f"fold {fold} synthetic {place}" for place in range(len(probabilities))]
            said = {name: record[name] for name in ("training_set", "net", "arm", "n_synthetic", "seed")}
            labels = np.repeat(np.arange(N_LABELS), len(probabilities) // N_LABELS)
            tested = {"test_set": GAN_TEST, "participant_id": names, "label": labels, "probability": probabilities}
            yield pd.DataFrame({**said, "fold": fold, **tested}).astype({"fold": "Int64"})


def _words(setting: Setting, runs: pd.DataFrame, judge: JudgeConfig, random: np.random.Generator) -> list[str]:
    real = runs[runs["arm"] == REFERENCE]
    if not set(real["test_set"]) >= BOTH:
        return []
    word = word_gan_test(contrast_gan_test(real, judge.confidence, judge.bootstrap, random))
    return [f"{setting}: {word}"]
