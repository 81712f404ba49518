"""Whether a probability means what it says: of the scans given 0.8, eight in ten should be patients'."""

import pandas as pd
from sklearn.metrics import brier_score_loss

from cohortsmith.evaluation.reliability import BINS, expected_calibration_error, reliability_curve
from cohortsmith.evaluation.scores import average_scans, score_runs


def calibrate_arms(predictions: pd.DataFrame, n_bins: int = BINS) -> pd.DataFrame:
    """Measure the calibration of each arm: one row per test_set and arm; predictions as in `evaluation/scores.py`.

    Columns: brier (mean squared error of the probabilities: 0 is perfect, always 0.5 gives 0.25), error_mean and
    error_sd over runs of each one's error (equal width), pooled_equal_width and pooled_equal_mass: of all runs'
    predictions taken together, where a run that says too much cancels one that says too little. Scans of a subject
    are averaged.
    """
    errors = score_runs(predictions).groupby(["test_set", "arm"], sort=False)["calibration_error"]
    runs = average_scans(predictions).groupby(["test_set", "arm"], sort=False)
    rows = [
        {"test_set": test_set, "arm": arm, **_measure(run, errors.get_group((test_set, arm)), n_bins)}
        for (test_set, arm), run in runs
    ]
    return pd.DataFrame(rows)


def _measure(run: pd.DataFrame, errors: pd.Series, n_bins: int) -> dict[str, float]:
    labels, probabilities = run["label"].to_numpy(), run["probability"].to_numpy()
    curves = [reliability_curve(labels, probabilities, n_bins, equal_mass=mass) for mass in (False, True)]
    width, mass = map(expected_calibration_error, curves)
    return {
        "brier": float(brier_score_loss(labels, probabilities)),
        "error_mean": float(errors.mean()),
        "error_sd": float(errors.std()),
        "pooled_equal_width": width,
        "pooled_equal_mass": mass,
    }
