"""GAN-train and GAN-test by their definitions, of tables written out by hand."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.evaluation.gan_train_test import from_arms, score_gan_train_test


def runs(trained_on: str, tested_on: str, called: list[list[int]]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"seed": seed, "label": [0, 0, 1, 2], "called": of_seed}) for seed, of_seed in enumerate(called)
    ]
    return pd.concat(parts).assign(trained_on=trained_on, tested_on=tested_on)


def test_each_score_takes_its_own_runs_for_any_number_of_classes() -> None:
    table = pd.concat(
        [
            runs("real", "real", [[0, 0, 1, 2], [0, 0, 1, 1]]),
            runs("synthetic", "real", [[0, 1, 1, 2], [1, 1, 1, 2]]),
            runs("real", "synthetic", [[0, 0, 0, 0], [0, 0, 0, 0]]),
        ]
    )
    rows = score_gan_train_test(table).set_index("score")
    assert rows.loc["baseline", "accuracy_mean"] == pytest.approx((1 + 3 / 4) / 2)
    assert rows.loc["baseline", "accuracy_sd"] == pytest.approx(0.25 / np.sqrt(2))
    assert rows.loc["gan-train", "balanced_accuracy_mean"] == pytest.approx(((1 / 2 + 2) / 3 + 2 / 3) / 2)
    assert rows.loc["gan-test", "balanced_accuracy_mean"] == pytest.approx(1 / 3)
    assert (rows["n_seeds"] == 2).all()


def test_a_score_without_runs_is_left_out() -> None:
    assert score_gan_train_test(runs("synthetic", "real", [[0, 0, 1, 2]]))["score"].tolist() == ["gan-train"]


def test_the_judges_arms_become_the_three_scores(predict_arm) -> None:
    random = np.random.default_rng(0)
    table = pd.concat(
        [
            predict_arm("real", 0.8, random),
            predict_arm("synthetic", 0.6, random),
            predict_arm("real", 1.0, random, test_set="synthetic"),
            predict_arm("synthetic", 1.0, random, test_set="external"),
            predict_arm("real+synthetic", 1.0, random),
        ]
    )
    assert set(from_arms(table)["trained_on"]) == {"real", "synthetic"}
    rows = score_gan_train_test(from_arms(table)).set_index("score")["accuracy_mean"]
    assert rows["baseline"] == pytest.approx(0.8, abs=0.06)
    assert rows["gan-train"] == pytest.approx(0.6, abs=0.08)
    assert rows["gan-test"] == 1
