"""GAN-train and GAN-test from the judge's own trainings: which runs are taken, and what is said."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.imaging.stored import Stored
from cohortsmith.pipelines.judge.gan_nodes import gan_scores, track_gan_scores

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


def runs(share: float, training_set: str = "train-full") -> dict[str, Stored]:
    about = {"training_set": training_set, "net": "baseline", "n_synthetic": 0, "fold": None}
    seen = {"test": [0.5], "synthetic": say(share).tolist()}
    return {
        f"{training_set}-{seed}": Stored({**about, "arm": "real", "seed": seed, "probabilities": seen})
        for seed in range(3)
    } | {f"{training_set}-other": Stored({**about, "arm": "real+classic", "seed": 0, "probabilities": {"test": [0.5]}})}


def test_the_three_scores_are_those_of_the_real_arm_and_of_the_largest_dose():
    said = predictions(**{"real": 0.8, "synthetic-5": 0.1, "synthetic-9": 0.7, "real+synthetic-9": 1.0})
    table, _ = gan_scores(JUDGE, said, runs(0.9), 1)
    scores = table.set_index("score")["balanced_accuracy_mean"]

    assert scores.to_dict() == pytest.approx({"baseline": 0.8, "gan-train": 0.7, "gan-test": 0.9})
    assert (table["n_seeds"] == 3).all()


@pytest.mark.parametrize(
    ("share", "told"),
    [(1.0, "copies of training images"), (0.8, "not told from"), (0.5, "do not show their diagnosis")],
)
def test_far_above_the_baseline_means_copies_and_below_it_a_wrong_diagnosis(share, told):
    _, words = gan_scores(JUDGE, predictions(real=0.8, synthetic=0.7), runs(share), 1)

    assert len(words) == 1
    assert told in words[0]


def test_every_training_set_is_scored_by_itself_and_named():
    said = pd.concat([predictions(real=0.8), predictions("train-50", real=0.6)])
    table, words = gan_scores(JUDGE, said, runs(0.8) | runs(0.6, "train-50"), 1)
    metrics = track_gan_scores(table)

    assert [word.split(",")[0] for word in words] == ["train-full", "train-50"]
    assert metrics["train-50.baseline.gan.test.balanced_accuracy"] == pytest.approx(0.6)
    assert metrics["train-full.baseline.gan.baseline.balanced_accuracy"] == pytest.approx(0.8)


def test_without_a_synthetic_or_a_real_arm_the_scores_that_need_it_are_left_out():
    table, words = gan_scores(JUDGE, predictions(**{"synthetic-9": 0.7}), {}, 1)

    assert table["score"].tolist() == ["gan-train"]
    assert words == []
    assert track_gan_scores(table) == {
        "gan.train.balanced_accuracy": pytest.approx(0.7),
        "gan.train.balanced_accuracy.sd": pytest.approx(0),
    }


def test_a_setting_without_synthetic_images_has_no_words_though_it_has_an_external_study():
    own, others = predictions(real=0.8), predictions("train-50", real=0.6)
    said = pd.concat([own, others, own.assign(test_set="external"), others.assign(test_set="external")])
    table, words = gan_scores(JUDGE, said, runs(0.8), 1)

    assert [word.split(",")[0] for word in words] == ["train-full"]
    assert table.loc[table["training_set"] == "train-50", "score"].tolist() == ["baseline"]
