"""What the pipeline's judge says of every simulated study, put beside what is true."""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.judge_validation.cohorts import Pools, StudyRows, draw_study
from benchmarks.judge_validation.jobs import GENERATORS, SHARED, WITH_SYNTHETIC, Cell, doses_of, list_cells
from benchmarks.judge_validation.settings import Settings
from cohortsmith.evaluation.scores import CONTROL, compare_arms, summarise_arms
from cohortsmith.evaluation.verdict import give_verdicts
from cohortsmith.imaging.atomic_write import write_json


def judge_cohorts(settings: Settings, pools: Pools, folder: Path) -> pd.DataFrame:
    """Judge every study whose trainings are all there.

    One row per cohort, size, generator, dose, test_set (`test-<subjects per class>` or `external`) and arm: word,
    difference, low, high; balanced_accuracy of the arm, and of real images alone (`real`).
    """
    missing = {(cell.cohort, cell.size) for cell in list_cells(settings) if not (folder / cell.name).exists()}
    rows: list[dict[str, Any]] = []
    for cohort, size in product(range(settings.cohorts), settings.sizes):
        if (cohort, size) not in missing:
            rows += _judged(settings, pools, folder, cohort, size)
    return pd.DataFrame(rows)


def judge_study(settings: Settings, predictions: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Judge one study as the pipeline's `summarise_predictions` does: a row per test set and arm, with its word."""
    judge = settings.judge
    control = predictions[predictions["arm"] == CONTROL]
    arms = summarise_arms(control, judge.confidence, judge.bootstrap, random)
    differences = compare_arms(predictions, judge.confidence, judge.bootstrap, random)
    words = [verdict.word for verdict in give_verdicts(arms, differences, judge.smallest_effect)]
    return differences.assign(word=words)


def collect(
    settings: Settings, pools: Pools, study: StudyRows, outcomes: dict[tuple[str, int], dict[str, list[float]]]
) -> pd.DataFrame:
    """Put the probabilities by arm and seed into the judge's table; a smaller test set is the larger one's start."""
    looks = [(f"test-{n}", "test", study.test[: 2 * n], pools.own) for n in settings.tests]
    looks.append(("external", "external", study.external, pools.external))
    parts = [
        pd.DataFrame(
            {
                "arm": arm,
                "seed": seed,
                "test_set": name,
                "participant_id": rows,
                "label": pool.labels[rows],
                "probability": probabilities[source][: len(rows)],
            }
        )
        for (arm, seed), probabilities in outcomes.items()
        for name, source, rows, pool in looks
    ]
    return pd.concat(parts, ignore_index=True)


def _judged(settings: Settings, pools: Pools, folder: Path, cohort: int, size: int) -> list[dict[str, Any]]:
    """Read the verdicts on one cohort and size, or give and keep them."""
    path = folder / f"verdicts-{cohort}-{size}.json"
    if not path.exists():
        write_json(path, {"verdicts": list(_judge_cohort(settings, pools, folder, cohort, size))})
    return list(json.loads(path.read_text())["verdicts"])


def _judge_cohort(settings: Settings, pools: Pools, folder: Path, cohort: int, size: int) -> Iterator[dict[str, Any]]:
    study = draw_study(settings, pools, cohort, size)
    for place, generator in enumerate(GENERATORS):
        for dose in doses_of(settings, generator):
            predictions = collect(settings, pools, study, _read(settings, folder, cohort, size, generator, dose))
            random = np.random.default_rng([cohort, size, place, dose])
            judged = judge_study(settings, predictions, random)
            means = score_means(predictions)
            for row in judged.itertuples():
                yield {
                    **{"cohort": cohort, "size": size, "generator": generator, "dose": dose},
                    **{"test_set": row.test_set, "arm": row.arm, "word": row.word},
                    **{"difference": row.difference, "low": row.low, "high": row.high},
                    "balanced_accuracy": means[row.test_set, row.arm],
                    "real": means[row.test_set, "real"],
                    "random_labels": means[row.test_set, CONTROL],
                }


def score_means(predictions: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Give the mean balanced accuracy per test set and arm."""
    called = (predictions["probability"] >= 0.5).astype(int)
    right = predictions.assign(right=called == predictions["label"])
    by_class = right.groupby(["test_set", "arm", "label"])["right"].mean()
    return by_class.groupby(["test_set", "arm"]).mean().to_dict()


def _read(
    settings: Settings, folder: Path, cohort: int, size: int, generator: str, dose: int
) -> dict[tuple[str, int], dict[str, list[float]]]:
    shared = [("", settings.doses[-1], arm) for arm in SHARED]
    own = [(generator, dose, arm) for arm in WITH_SYNTHETIC]
    return {
        (arm, seed): json.loads((folder / Cell(cohort, size, who, much, arm, seed).name).read_text())
        for who, much, arm in shared + own
        for seed in range(settings.seeds)
    }
