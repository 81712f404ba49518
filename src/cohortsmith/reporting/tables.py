"""DataFrames as a reader wants them: words for column names, few digits, one cell for a value and its spread."""

import re
from numbers import Integral, Real
from typing import Any

import pandas as pd

from cohortsmith.reporting.blocks import Table

ABSENT = "–"
_COUNTS = {
    "n_training": "training scans",
    "n_held_out": "held-out scans",
    "n_synthetic": "synthetic scans",
    "n_neighbours": "neighbours looked at",
    "n_seeds": "seeds",
    "n_controls": "controls",
    "n_patients": "patients",
}
_CAPITALS = {
    "auc": "AUC",
    "mmse": "MMSE",
    "elbo": "ELBO",
    "kl": "KL",
    "hmc": "HMC",
    "rmse": "RMSE",
    "mmd": "MMD",
    "ms ssim": "MS-SSIM",
    "r hat": "R-hat",
}


def as_table(frame: pd.DataFrame, caption: str, digits: int = 3) -> Table:
    """Word every cell of a DataFrame."""
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    rows = [[worded(value, digits) for value in row] for row in frame.itertuples(index=False)]
    return Table(caption, [readable(str(name)) for name in frame], rows, numeric)


def as_columns(frame: pd.DataFrame, caption: str) -> Table:
    """Word a DataFrame with one column per row, named by the index: for more numbers than rows."""
    rows = [[readable(str(name)), *(worded(value) for value in frame[name])] for name in frame]
    labels = [str(label) for label in frame.index]
    return Table(caption, ["", *labels], rows, [False, *[True] * len(labels)])


def worded(value: Any, digits: int = 3) -> str:
    """Word one value: a dash for what is unknown, a fixed number of decimals, very small or large ones in powers."""
    if isinstance(value, str | bool):
        return str(value)
    if value is None or pd.isna(value):
        return ABSENT
    if isinstance(value, Integral) or not isinstance(value, Real):
        return str(value)
    return _number(float(value), digits)


def mean_and_spread(mean: float, spread: float, digits: int = 2) -> str:
    """Word a mean with its standard deviation; the mean alone where there is only one value."""
    if pd.isna(mean):
        return ABSENT
    return f"{mean:.{digits}f}" + ("" if pd.isna(spread) else f" ± {spread:.{digits}f}")


def interval_text(low: float, high: float, digits: int = 2, sign: str = "") -> str:
    """Word an interval."""
    return ABSENT if pd.isna(low) or pd.isna(high) else f"[{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def readable(name: str) -> str:
    """Turn a column's name into words."""
    words = _COUNTS.get(name, name.replace("_", " ").strip())
    for small, capital in _CAPITALS.items():
        words = re.sub(rf"\b{small}\b", capital, words)
    return words


def duration(seconds: float) -> str:
    """Word a duration."""
    minutes, rest = divmod(round(seconds), 60)
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _number(value: float, digits: int) -> str:
    if value and (abs(value) < 10**-digits or abs(value) >= 1e6):
        return f"{value:.2g}"
    return f"{value:,.{1 if abs(value) >= 100 else digits}f}"
