"""GAN-train and GAN-test from the judge's own trainings: which runs are taken, and what is said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cohortsmith.config.classifier import CustomConfig, SupportVectorMachineConfig
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import Labelled, Latents
from cohortsmith.models.classifier_file import read_about
from cohortsmith.models.classifier_training import ArmJob, run_arm
from cohortsmith.pipelines.judge.gan_nodes import (
    GAN_TEST,
    Question,
    ask_networks,
    ask_one,
    gan_scores,
    plan_questions,
    track_gan_scores,
)
from cohortsmith.pipelines.judge.jobs import PlannedJob
from cohortsmith.pipelines.judge.nodes import train_one
from cohortsmith.pipelines.judge.sources import Source

N = 40  # test subjects, and synthetic images, per label
LABELS = np.repeat([0, 1], N)
JUDGE = JudgeConfig(n_seeds=3, n_synthetic=(5, 9))


def say(share: float) -> np.ndarray:
    """Call a share of each class right."""
    right = np.tile(np.arange(N) < share * N, 2)
    return np.where(right == (LABELS == 1), 0.9, 0.1)


def predictions(training_set: str = "train-full", **share: float) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "training_set": training_set,
                "net": "baseline",
                "arm": arm,
                "n_synthetic": 0,
                "seed": seed,
                "fold": pd.array([pd.NA] * 2 * N, dtype="Int64"),
                "test_set": "test",
                "participant_id": [f"sub-{i}" for i in range(2 * N)],
                "label": LABELS,
                "probability": say(share[arm]),
            }
        )
        for arm in share
        for seed in range(3)
    ]
    return pd.concat(parts, ignore_index=True)


def answers(share: float, training_set: str = "train-full") -> dict[str, Stored]:
    about = {"training_set": training_set, "net": "baseline", "n_synthetic": 0, "fold": None, "arm": "real"}
    said = {**about, "fingerprint": "mark", "probabilities": say(share).tolist()}
    return {f"{training_set}-{seed}": Stored({**said, "seed": seed}) for seed in range(3)}


def score(said: pd.DataFrame, answers: dict[str, Stored]) -> tuple[pd.DataFrame, list[str]]:
    questions = {key: Question(None, None, "mark") for key in answers}
    return gan_scores(JUDGE, said, questions, answers, 1)


def test_the_three_scores_are_those_of_the_real_arm_and_of_the_largest_dose():
    said = predictions(**{"real": 0.8, "synthetic-5": 0.1, "synthetic-9": 0.7, "real+synthetic-9": 1.0})
    table, _ = score(said, answers(0.9))
    scores = table.set_index("score")["balanced_accuracy_mean"]

    assert scores.to_dict() == pytest.approx({"baseline": 0.8, "gan-train": 0.7, "gan-test": 0.9})
    assert (table["n_seeds"] == 3).all()


@pytest.mark.parametrize(
    ("share", "told"),
    [(1.0, "copies of training images"), (0.8, "not told from"), (0.5, "do not show their diagnosis")],
)
def test_far_above_the_baseline_means_copies_and_below_it_a_wrong_diagnosis(share, told):
    _, words = score(predictions(real=0.8, synthetic=0.7), answers(share))

    assert len(words) == 1
    assert told in words[0]


def test_every_training_set_is_scored_by_itself_and_named():
    said = pd.concat([predictions(real=0.8), predictions("train-50", real=0.6)])
    table, words = score(said, answers(0.8) | answers(0.6, "train-50"))
    metrics = track_gan_scores(table)

    assert [word.split(",")[0] for word in words] == ["train-full", "train-50"]
    assert metrics["train-50.baseline.gan.test.balanced_accuracy"] == pytest.approx(0.6)
    assert metrics["train-full.baseline.gan.baseline.balanced_accuracy"] == pytest.approx(0.8)


def test_without_a_synthetic_or_a_real_arm_the_scores_that_need_it_are_left_out():
    table, words = score(predictions(**{"synthetic-9": 0.7}), {})

    assert table["score"].tolist() == ["gan-train"]
    assert words == []
    assert track_gan_scores(table) == {
        "gan.train.balanced_accuracy": pytest.approx(0.7),
        "gan.train.balanced_accuracy.sd": pytest.approx(0),
    }


def test_a_setting_without_synthetic_images_has_no_words_though_it_has_an_external_study():
    own, others = predictions(real=0.8), predictions("train-50", real=0.6)
    said = pd.concat([own, others, own.assign(test_set="external"), others.assign(test_set="external")])
    table, words = score(said, answers(0.8))

    assert [word.split(",")[0] for word in words] == ["train-full"]
    assert table.loc[table["training_set"] == "train-50", "score"].tolist() == ["baseline"]


def test_an_answer_to_another_question_is_not_scored():
    asked = {key: Question(None, None, "mark of other images") for key in answers(0.8)}
    table, words = gan_scores(JUDGE, predictions(real=0.8), asked, answers(0.8), 1)

    assert table["score"].tolist() == ["baseline"]
    assert words == []


IMAGES = np.random.default_rng(0).random((12, 6, 5), dtype=np.float32)
REAL = Labelled(IMAGES, np.arange(12) % 2)
NETWORK = CustomConfig(channels=(2,), strides=(1,), dense=(), batch_size=4, optimizer_steps=4, evaluations=2)


def show(points: torch.Tensor) -> torch.Tensor:
    return (points[:, :1, None] * torch.linspace(0.3, 3, 30).reshape(6, 5)).sin().abs()


SEEN = Latents(torch.arange(8.0)[:, None], np.repeat([0, 1], 4), (show, show))


def planned(arm: str, weights: Path | None, config=NETWORK, partition: str = "train-full") -> PlannedJob:
    about = {"partition": partition, "training_set": "train-full", "net": "baseline", "n_synthetic": 0, "fold": None}
    job = ArmJob(arm, 0, REAL, None, REAL, {"test": REAL}, config)
    return PlannedJob(job, f"mark of {arm}", {**about, "arm": arm, "seed": 0}, weights)


def source(partition: str, label: str, shift: float = 0.0) -> Source:
    points = np.arange(5, dtype=np.float32)[:, None] + shift
    return Source(partition, "synthetic", label, Path(label), "mark", (points, points + 100), ())


def ended(jobs: dict[str, PlannedJob], **more: str) -> dict[str, Stored]:
    return {key: Stored({**one.about, **more}) for key, one in jobs.items()}


def test_the_real_arms_networks_alone_are_asked_about_the_first_draw_of_their_own_partition():
    jobs = {arm: planned(arm, None) for arm in ("real", "real+classic")}
    jobs["elsewhere"] = planned("real", None, partition="train-50")
    sources = {("train-full", "synthetic"): tuple(source("train-full", label) for label in ("CN", "AD"))}
    asked = plan_questions(jobs, sources, ended(jobs))

    assert set(asked) == {"real"}
    assert asked["real"].seen.points[:, 0].tolist() == [0, 1, 2, 3, 4] * 2
    assert asked["real"].seen.labels.tolist() == [0] * 5 + [1] * 5
    assert plan_questions(jobs, sources, ended(jobs, diverged="no number")) == {}


def test_a_question_changes_with_the_network_and_with_the_images():
    jobs = {"real": planned("real", None)}
    marks = [
        plan_questions(
            {"real": jobs["real"]._replace(fingerprint=mark)},
            {("train-full", "synthetic"): tuple(source("train-full", label, shift) for label in ("CN", "AD"))},
            ended(jobs),
        )["real"].fingerprint
        for mark, shift in (("one", 0.0), ("one", 0.0), ("other", 0.0), ("one", 1.0))
    ]

    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


@pytest.mark.parametrize("lost", ["", "removed", "another's", "damaged"])
@pytest.mark.parametrize("config", [NETWORK, SupportVectorMachineConfig()], ids=["network", "scikit-learn"])
def test_a_classifier_answers_as_it_would_have_at_the_end_of_its_training(config, lost, tmp_path):
    job = planned("real", tmp_path / "real.safetensors" if config is NETWORK else None, config)
    train_one(job)
    if job.weights and lost == "another's":
        train_one(job._replace(fingerprint="other", job=job.job._replace(seed=5)))
    elif job.weights and lost == "damaged":
        job.weights.write_bytes(b"half a file")
    elif job.weights and lost:
        job.weights.unlink()
    at_its_end = run_arm(job.job._replace(tests={GAN_TEST: SEEN})).probabilities[GAN_TEST]

    assert ask_one(Question(job, SEEN, "mark")) == at_its_end.tolist()
    assert len(set(at_its_end)) > 1
    assert job.weights is None or read_about(job.weights)["fingerprint"] == job.fingerprint


def test_every_question_is_asked_once_and_an_error_is_raised_when_all_others_are_answered(tmp_path):
    job = planned("real", tmp_path / "real.safetensors")
    train_one(job)
    broken = planned("synthetic", None)._replace(fingerprint="other")  # there are no synthetic images
    asked = {"a": Question(broken, SEEN, "mark a"), "b": Question(job, SEEN, "mark b")}
    parts = ask_networks(asked, {}, ExecutionConfig(workers=1))
    saved = next(parts) | next(parts)

    with pytest.raises(StudyError, match="needs synthetic images"):
        next(parts)
    assert list(saved) == ["b"]
    assert saved["b"].record["fingerprint"] == "mark b"
    assert list(ask_networks({"b": asked["b"]}, saved, ExecutionConfig(workers=1))) == [{}]
