"""Arms whose calibration is known, and runs whose errors cancel when they are pooled."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.evaluation.calibration import calibrate_arms


def test_arms_are_measured_apart_over_all_their_seeds(predict_arm) -> None:
    random = np.random.default_rng(0)
    # calls are given 0.8 and 0.2: an arm right 4 times in 5 is calibrated, one right half the time is not
    table = pd.concat([predict_arm("real", 0.8, random, n_subjects=2000), predict_arm("synthetic", 0.5, random)])
    rows = calibrate_arms(table).set_index("arm")
    assert rows.loc["real", "pooled_equal_width"] < 0.02
    assert rows.loc["real", "brier"] == pytest.approx(0.8 * 0.04 + 0.2 * 0.64, abs=0.01)
    assert rows.loc["synthetic", "pooled_equal_mass"] == pytest.approx(0.3, abs=0.08)


def test_errors_of_runs_do_not_cancel_as_pooled_ones_do() -> None:
    # run 0 gives patients 0.55 and controls 0.15, run 1 the other way round: errors (0.45 + 0.15) / 2 and
    # (0.55 + 0.85) / 2; pooled, both bins hold half patients: (0.05 + 0.35) / 2
    right = pd.DataFrame({"participant_id": ["a", "b"], "label": [1, 0], "probability": [0.55, 0.15], "seed": 0})
    wrong = right.assign(probability=[0.15, 0.55], seed=1)
    row = calibrate_arms(pd.concat([right, wrong]).assign(arm="real", test_set="test")).iloc[0]
    assert (row["error_mean"], row["error_sd"]) == pytest.approx((0.5, 0.4 / np.sqrt(2)))
    assert (row["pooled_equal_width"], row["pooled_equal_mass"]) == pytest.approx((0.2, 0.2))
