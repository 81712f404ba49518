"""How far probabilities are from the shares that they name: reliability curves and their error.

A calibration error counts chance as well: n predictions in b bins give even perfect probabilities one of about a
third of sqrt(b / n). Compare arms on the same subjects, not studies.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BINS = 10


def reliability_curve(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], n_bins: int = BINS, *, equal_mass: bool = False
) -> pd.DataFrame:
    """Tabulate how often patients occur among predictions of about the same probability: one row per bin.

    labels (n,): 0 or 1; probabilities (n,): of being 1. Columns: low, high (bins hold low <= p < high, the last one
    high too), n, probability (mean), patients (share); both NaN in an empty bin.
    equal_mass: edges at quantiles instead of equally spaced on [0, 1]; predictions that are alike stay together, so
        there may be fewer bins.
    """
    labels, probabilities = np.asarray(labels, dtype=float), np.asarray(probabilities, dtype=float)
    edges = _quantile_edges(probabilities, n_bins) if equal_mass else np.linspace(0, 1, n_bins + 1)
    bins = np.searchsorted(edges[1:-1], probabilities, side="right")
    n = np.bincount(bins, minlength=len(edges) - 1)
    filled = np.where(n > 0, n, np.nan)
    sums = [np.bincount(bins, weights=values, minlength=len(n)) for values in (probabilities, labels)]
    columns = {"low": edges[:-1], "high": edges[1:], "n": n, "probability": sums[0] / filled}
    return pd.DataFrame({**columns, "patients": sums[1] / filled})


def expected_calibration_error(curve: pd.DataFrame) -> float:
    """Average how far probability and share of patients are apart, weighted by n (Naeini et al., 2015, equation 3)."""
    gaps = (curve["probability"] - curve["patients"]).abs()
    return float((gaps * curve["n"]).sum() / curve["n"].sum())


def _quantile_edges(probabilities: NDArray[np.float64], n_bins: int) -> NDArray[np.float64]:
    low, *inner, high = np.quantile(probabilities, np.linspace(0, 1, n_bins + 1))
    # an inner edge may equal the highest probability: those who share it then have a bin of their own
    return np.array([low, *np.setdiff1d(inner, [low]), high])
