"""Train every arm with every seed, score them on real test subjects, look for copies, say what came out."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.classifier import ClassifierConfig, read_classifier
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.leakage import assert_no_leak
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import file_fingerprint, fingerprint
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import Labelled
from cohortsmith.models.classifier_training import ArmJob, run_arm
from cohortsmith.models.provenance import TrainedGenerator

OF_SYNTHETIC = ("synthetic", "real+synthetic", "real+oversampling")  # what they are trained on, or how much of it


class PlannedJob(NamedTuple):
    """One training to be done, and the fingerprint of everything that it depends on."""

    job: ArmJob
    fingerprint: str


def refuse_leaks(splits: pd.DataFrame, *generators: TrainedGenerator) -> dict[str, list[str]]:
    """Refuse the study when a subject is in two splits or a generator saw more than training subjects."""
    ancestry = {generator.label: list(generator.subjects) for generator in generators}
    subjects = {str(name): rows["participant_id"].tolist() for name, rows in splits.groupby("split")}
    # Another study may use the same ids for other people: its subjects get its name.
    subjects["external"] = [f"external/{subject}" for subject in subjects.get("external", [])]
    assert_no_leak(subjects, ancestry)
    return ancestry


def pool_synthetic_images(judge: JudgeConfig, *made: Any) -> Iterator[NDArray[np.float32]]:
    """Chain the first `n_synthetic` images of each label, controls first, as one stack (2 n, *shape).

    made: a label's images, its table of the screen for copies, the next label's images, its table. Where what is
    flagged is excluded, all labels give as many as the one with the fewest left.

    Raises:
        StudyError: a label has none left.
    """
    usable = [_usable(judge, table) for table in made[1::2]]
    n = min(judge.n_synthetic, *map(len, usable))
    if n == 0:
        raise StudyError(
            "no synthetic scan is left to be judged",
            where="parameters.judge.quarantine: exclude",
            got=", ".join(f"{len(rows)} of {len(table)}" for rows, table in zip(usable, made[1::2], strict=True)),
            expected="at least one scan of each diagnosis that passed the screen for copies",
            remedy="train the generator on more subjects or for fewer epochs, or set judge.quarantine: report",
        )
    return (images[row] for images, rows in zip(made[::2], usable, strict=True) for row in rows[:n])


def _usable(judge: JudgeConfig, copying: pd.DataFrame) -> NDArray[np.int64]:
    passed = copying["flagged"].eq(False).to_numpy() if judge.quarantine == "exclude" else np.full(len(copying), True)
    return np.flatnonzero(passed)


def plan_classifiers(
    study: StudyConfig,
    judge: JudgeConfig,
    classifier: dict[str, Any],
    splits: pd.DataFrame,
    images: NDArray[np.float32],
    synthetic: NDArray[np.float32],
    ancestry: dict[str, list[str]],
) -> dict[str, PlannedJob]:
    """Plan one training per arm and seed. `ancestry` only orders this node after the refusal of leaks."""
    jobs = dict(_jobs(study, judge, read_classifier(classifier), splits, images, synthetic))
    marks = _fingerprints(jobs, splits, synthetic)
    return {key: PlannedJob(job, marks[key]) for key, job in jobs.items()}


def train_classifiers(
    jobs: dict[str, PlannedJob], done: dict[str, Stored], execution: ExecutionConfig
) -> Iterator[dict[str, Stored | None]]:
    """Train one classifier per planned job, unless the same one is there; save each the moment it is done.

    Raises:
        CohortsmithError: the first one that stopped a training, once all others are saved.
    """
    yield {key: None for key in done if key not in jobs}
    todo = {
        key: (planned.job,)
        for key, planned in jobs.items()
        if key not in done or done[key].record.get("fingerprint") != planned.fingerprint
    }
    failed = []
    for outcome in run_items(train_one, todo, execution=execution, title="train classifiers"):
        if outcome.error:
            failed.append(outcome.error)
            continue
        yield {outcome.key: Stored({**outcome.value, "fingerprint": jobs[outcome.key].fingerprint})}
    if failed:
        raise failed[0]


def train_one(job: ArmJob) -> dict[str, Any]:
    """Train and test one arm with one seed in a worker process; give plain values."""
    outcome = run_arm(job)
    return {
        "arm": outcome.arm,
        "seed": outcome.seed,
        "best_step": outcome.best_step,
        "history": [row._asdict() for row in outcome.history],
        "probabilities": {name: values.tolist() for name, values in outcome.probabilities.items()},
    }


def collect_predictions(
    study: StudyConfig, judge: JudgeConfig, splits: pd.DataFrame, runs: dict[str, Stored]
) -> pd.DataFrame:
    """Give one row per test set, arm, seed and subject: label (1 patient) and probability; in the arms' own order."""
    parts = [_predictions_of(run.record, study, splits) for run in runs.values()]
    order = {name: place for place, name in enumerate(("test", "external", *judge.arms))}
    return pd.concat(parts, ignore_index=True).sort_values(
        ["test_set", "arm", "seed", "participant_id"],
        key=lambda column: column.map(order) if column.name in ("test_set", "arm") else column,
        ignore_index=True,
    )


def _predictions_of(record: dict[str, Any], study: StudyConfig, splits: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for test_set, probabilities in record["probabilities"].items():
        rows = splits[splits["split"] == test_set]
        parts.append(
            pd.DataFrame(
                {
                    "arm": record["arm"],
                    "seed": record["seed"],
                    "test_set": test_set,
                    "participant_id": rows["participant_id"].to_numpy(),
                    "label": (rows["diagnosis"] == study.labels[1]).to_numpy(dtype=int),
                    "probability": probabilities,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _jobs(
    study: StudyConfig,
    judge: JudgeConfig,
    classifier: ClassifierConfig,
    splits: pd.DataFrame,
    images: NDArray[np.float32],
    synthetic: NDArray[np.float32],
) -> Iterator[tuple[str, ArmJob]]:
    sets = {name: _labelled(images, splits, name, study) for name in splits["split"].unique()}
    per_label = len(synthetic) // len(study.labels)
    made = Labelled(_file(synthetic), np.repeat(np.arange(len(study.labels)), per_label))
    tests = {name: sets[name] for name in ("test", "external") if name in sets}
    for arm, index in product(judge.arms, range(judge.n_seeds)):
        seed = judge.first_seed + index
        job = ArmJob(arm, seed, sets["train"], made, sets["validation"], tests, classifier, judge.classic)
        yield f"arm-{arm.replace('+', 'And')}_seed-{seed}", job


def _labelled(images: NDArray[np.float32], splits: pd.DataFrame, name: str, study: StudyConfig) -> Labelled:
    rows = splits[splits["split"] == name]
    labels = (rows["diagnosis"] == study.labels[1]).to_numpy(dtype=np.int64)
    return Labelled(_file(images), labels, rows.index.to_numpy())


def _file(images: NDArray[np.float32]) -> Path:
    # A memory map would travel to the worker with all its voxels; its file name does not.
    return Path(str(images.filename))  # type: ignore[attr-defined]


def _fingerprints(jobs: dict[str, ArmJob], splits: pd.DataFrame, synthetic: NDArray[np.float32]) -> dict[str, str]:
    subjects = splits[["key", "split", "diagnosis", "fingerprint"]].to_dict("list")
    made = {True: file_fingerprint(_file(synthetic)), False: "real scans only"}
    return {
        key: fingerprint(
            "classify", job.arm, job.seed, job.config, job.classic, made[job.arm in OF_SYNTHETIC], subjects
        )
        for key, job in jobs.items()
    }
