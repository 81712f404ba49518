"""GAN-train and GAN-test of the study's generators, by networks that the arms need anyway."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.evaluation.gan_train_test import contrast_gan_test, from_arms, score_gan_train_test, word_gan_test
from cohortsmith.evaluation.scores import REFERENCE
from cohortsmith.evaluation.settings import Setting, name_setting, number_runs, settings_of
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import Latents, source_of
from cohortsmith.models.classifier_file import read_about, read_classifier_file
from cohortsmith.models.classifier_training import predict

from .jobs import N_LABELS, PlannedJob
from .nodes import train_one
from .sources import SYNTHETIC, Source, Sources, latents_of, mark_of

GAN_TEST, MOST_SEEN = "synthetic", 200  # the synthetic images, per label, that the real arm's networks are tested on
BOTH = {"test", GAN_TEST}


class Question(NamedTuple):
    """What a trained network will be asked: the synthetic images, and a hash of both."""

    planned: PlannedJob
    seen: Latents
    fingerprint: str


def plan_questions(jobs: dict[str, PlannedJob], sources: Sources, runs: dict[str, Stored]) -> dict[str, Question]:
    """Plan to ask every network of the real arm about synthetic scans of its own partition; runs: current ones."""
    planned = {key: jobs[key] for key, run in runs.items() if _has_answers(run.record)}
    return {
        key: _question(one, sources[one.about["partition"], SYNTHETIC])
        for key, one in planned.items()
        if (one.about["partition"], SYNTHETIC) in sources
    }


def ask_networks(
    questions: dict[str, Question], done: dict[str, Stored], execution: ExecutionConfig
) -> Iterator[dict[str, Stored]]:
    """Ask what was not asked before, and save each answer the moment it is there.

    Raises:
        CohortsmithError: the first one that stopped an answer, once all others are saved.
    """
    yield {}
    todo = {key: (one,) for key, one in questions.items() if not _is_answered(one, done.get(key))}
    failed = []
    for outcome in run_items(ask_one, todo, execution=execution, title="test networks on synthetic scans"):
        if outcome.error:
            failed.append(outcome.error)
            continue
        asked = questions[outcome.key]
        record = {**asked.planned.about, "fingerprint": asked.fingerprint, "probabilities": outcome.value}
        yield {outcome.key: Stored(record)}
    if failed:
        raise failed[0]


def ask_one(question: Question) -> list[float]:
    """Give the images' probabilities (n,) in a worker process; a classifier whose weights are gone is fitted again."""
    planned, seen = question.planned, question.seen
    if planned.weights is not None and read_about(planned.weights).get("fingerprint") == planned.fingerprint:
        return [float(value) for value in predict(read_classifier_file(planned.weights), source_of(seen))]
    again = train_one(planned._replace(job=planned.job._replace(tests={GAN_TEST: seen})))
    return list(again["probabilities"][GAN_TEST])


def gan_scores(
    judge: JudgeConfig,
    predictions: pd.DataFrame,
    questions: dict[str, Question],
    answers: dict[str, Stored],
    seed: int,
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
    current = [answers[key].record for key, asked in questions.items() if _is_answered(asked, answers.get(key))]
    for setting, rows in settings_of(pd.concat([wanted, *map(_said, current)], ignore_index=True)):
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


def _has_answers(record: dict[str, Any]) -> bool:
    return record["arm"] == REFERENCE and "diverged" not in record


def _question(planned: PlannedJob, made: Sequence[Source]) -> Question:
    # The same images for every seed, as networks are compared on the same test subjects.
    mark = fingerprint("test on synthetic scans", planned.fingerprint, mark_of(made, MOST_SEEN))
    return Question(planned, latents_of(made, MOST_SEEN), mark)


def _is_answered(question: Question, answer: Stored | None) -> bool:
    return answer is not None and answer.record.get("fingerprint") == question.fingerprint


def _said(record: dict[str, Any]) -> pd.DataFrame:
    """Tabulate what one network says of synthetic images: controls first, as many of each label."""
    probabilities, fold = record["probabilities"], record["fold"]
    names = [f"fold {fold} synthetic {place}" for place in range(len(probabilities))]
    said = {name: record[name] for name in ("training_set", "net", "arm", "n_synthetic", "seed")}
    labels = np.repeat(np.arange(N_LABELS), len(probabilities) // N_LABELS)
    tested = {"test_set": GAN_TEST, "participant_id": names, "label": labels, "probability": probabilities}
    return pd.DataFrame({**said, "fold": fold, **tested}).astype({"fold": "Int64"})


def _words(setting: Setting, runs: pd.DataFrame, judge: JudgeConfig, random: np.random.Generator) -> list[str]:
    real = runs[runs["arm"] == REFERENCE]
    if not set(real["test_set"]) >= BOTH:
        return []
    word = word_gan_test(contrast_gan_test(real, judge.confidence, judge.bootstrap, random))
    return [f"{setting}: {word}"]
