"""GAN-train and GAN-test (Shmelkov et al., 2018; thesis 1.3.3): what classifiers make of synthetic images.

GAN-train: trained on synthetic images, tested on real ones; high when synthetic images are both right and various.
GAN-test: trained on real images, tested on synthetic ones; near the baseline when they are right, far above it when
they are copies of training images. Baseline: trained and tested on real images.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from cohortsmith.evaluation.intervals import Calls, estimate_contrast, interval


class GanScore(NamedTuple):
    """One of the three scores: means and s.d. (n - 1) over seeds; any number of classes."""

    score: str
    trained_on: str
    tested_on: str
    n_seeds: int
    accuracy_mean: float
    accuracy_sd: float
    balanced_accuracy_mean: float
    balanced_accuracy_sd: float


SCORES = {"baseline": ("real", "real"), "gan-train": ("synthetic", "real"), "gan-test": ("real", "synthetic")}


def score_gan_train_test(predictions: pd.DataFrame) -> pd.DataFrame:
    """Give baseline, GAN-train and GAN-test, as far as there are predictions for them: one `GanScore` each.

    predictions: one row per image: trained_on and tested_on ("real" or "synthetic"), seed, label, called (labels).
        Real test images must be of subjects that no generator saw.
    """
    runs = predictions.groupby(["trained_on", "tested_on"])
    present = {name: pair for name, pair in SCORES.items() if pair in runs.groups}
    rows = [_score(name, *pair, runs.get_group(pair)) for name, pair in present.items()]
    return pd.DataFrame(rows, columns=list(GanScore._fields))


def from_arms(predictions: pd.DataFrame, test_set: str = "test", synthetic_set: str = "synthetic") -> pd.DataFrame:
    """Put the judge's predictions (`evaluation/scores.py`) into the form of `score_gan_train_test`.

    test_set: the real images; synthetic_set: the name under which the real arm's nets were tested on synthetic ones.
    """
    tested_on = predictions["test_set"].map({test_set: "real", synthetic_set: "synthetic"})
    wanted = predictions["arm"].isin(["real", "synthetic"]) & tested_on.notna()
    table = predictions.assign(
        trained_on=predictions["arm"], tested_on=tested_on, called=(predictions["probability"] >= 0.5).astype(int)
    )
    return table.loc[wanted, ["trained_on", "tested_on", "seed", "label", "called"]]


class Contrast(NamedTuple):
    """GAN-test minus the baseline: balanced accuracy of the same nets on synthetic and on real images."""

    difference: float
    low: float
    high: float


def contrast_gan_test(
    predictions: pd.DataFrame, confidence: float, n_draws: int, random: np.random.Generator
) -> Contrast:
    """Contrast the real arm's nets on synthetic and on real images, allowing for seeds, subjects and images.

    predictions: the judge's (`evaluation/scores.py`) of the real arm, on the test sets `test` and `synthetic`, with two
        classes in each.
    """
    real, made = (_calls(predictions[predictions["test_set"] == name]) for name in ("test", "synthetic"))
    sure = estimate_contrast(made, real, n_draws, random)
    return Contrast(sure.value, *interval(sure, confidence))


def word_gan_test(contrast: Contrast) -> str:
    """Say what GAN-test tells of the synthetic images."""
    if contrast.low > 0:
        told = "above the baseline: synthetic images vary less than real ones, or are copies of training images"
    elif contrast.high < 0:
        told = "below the baseline: synthetic images do not show their diagnosis as real ones do"
    else:
        told = (
            "not told from the baseline: synthetic images show their diagnosis as real ones do, as far as can be seen"
        )
    return f"GAN-test is {told} ({contrast.difference:+z.3f} [{contrast.low:+z.3f}, {contrast.high:+z.3f}])."


def _calls(predictions: pd.DataFrame) -> Calls:
    called = (predictions["probability"] >= 0.5).astype(int)
    right = predictions.assign(right=(called == predictions["label"]).astype(float))
    controls, patients = (
        rows.pivot_table(index="seed", columns="participant_id", values="right").to_numpy()
        for _, rows in right.groupby("label")
    )
    return controls, patients


def _score(name: str, trained_on: str, tested_on: str, runs: pd.DataFrame) -> GanScore:
    by_seed = [(run["label"], run["called"]) for _, run in runs.groupby("seed")]
    plain = pd.Series([accuracy_score(*run) for run in by_seed])
    balanced = pd.Series([balanced_accuracy_score(*run) for run in by_seed])
    moments = [float(value) for scores in (plain, balanced) for value in (scores.mean(), scores.std())]
    return GanScore(name, trained_on, tested_on, len(by_seed), *moments)
