"""Are the brains of synthetic scans of the right size, region by region? Image metrics do not see it (WASABI, 2025).

Volumes are a table with one row per scan: diagnosis, source (training, held_out: real; synthetic) and one column per
region, in ml. Scans of one source and diagnosis are of different subjects.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
SOURCES = ("training", "held_out", "synthetic")
REFERENCE = "held_out"  # real scans that no generator saw
CONFIDENCE = 0.95
FEWEST = 3  # scans of a kind; fewer have hardly a spread


class RegionalVolume(NamedTuple):
    """One region of one diagnosis' scans of one source, ml.

    n: scans that could be measured. difference: mean minus that of held-out real scans, with Welch's 95 % interval.
    hedges_g: the difference in pooled s.d., with Hedges' correction for few scans (1981). Missing for the held-out
        scans themselves and where either has fewer than 3.
    """

    diagnosis: str
    source: str
    region: str
    n: int
    mean_ml: float
    sd_ml: float
    difference: float = np.nan
    low: float = np.nan
    high: float = np.nan
    hedges_g: float = np.nan


def compare_regional_volumes(volumes: pd.DataFrame, regions: Sequence[str]) -> pd.DataFrame:
    """Compare each source with held-out real scans: a `RegionalVolume` per diagnosis, region and source."""
    rows = [
        row
        for label in volumes["diagnosis"].unique()
        for region in regions
        for row in _compare(volumes[volumes["diagnosis"] == label], str(label), region)
    ]
    return pd.DataFrame(rows, columns=list(RegionalVolume._fields))


def word_volumes(compared: pd.DataFrame, label: str) -> list[str]:
    """Word the synthetic scans' rows of one diagnosis: one sentence per region."""
    own = compared[compared["diagnosis"] == label]
    rows = [RegionalVolume(*row) for row in own[list(RegionalVolume._fields)].itertuples(index=False)]
    held_out = {row.region: row.mean_ml for row in rows if row.source == REFERENCE}
    return [_word(row, held_out[row.region]) for row in rows if row.source == "synthetic"]


def hedges_g(values: Values, reference: Values) -> float:
    """Give the difference of means in pooled s.d., corrected for few values; 0 where all values are equal."""
    degrees = len(values) + len(reference) - 2
    squares = sum(((part - part.mean()) ** 2).sum() for part in (values, reference))
    difference = values.mean() - reference.mean()
    if squares == 0:
        return 0.0 if difference == 0 else float(np.copysign(np.inf, difference))
    return float(difference / np.sqrt(squares / degrees) * (1 - 3 / (4 * degrees - 1)))


def _compare(volumes: pd.DataFrame, label: str, region: str) -> Iterator[RegionalVolume]:
    measured = {source: _values(volumes, source, region) for source in SOURCES}
    for source, values in measured.items():
        sd = float(values.std(ddof=1)) if len(values) > 1 else np.nan
        mean = float(values.mean()) if len(values) else np.nan
        row = RegionalVolume(label, source, region, len(values), mean, sd)
        yield row if source == REFERENCE else _against(row, values, measured[REFERENCE])


def _against(row: RegionalVolume, values: Values, reference: Values) -> RegionalVolume:
    if min(len(values), len(reference)) < FEWEST:
        return row
    difference = float(values.mean() - reference.mean())
    low, high = difference, difference  # neither set varies
    if np.ptp(values) > 0 or np.ptp(reference) > 0:
        low, high = stats.ttest_ind(values, reference, equal_var=False).confidence_interval(CONFIDENCE)
    return row._replace(difference=difference, low=float(low), high=float(high), hedges_g=hedges_g(values, reference))


def _values(volumes: pd.DataFrame, source: str, region: str) -> Values:
    values = volumes.loc[volumes["source"] == source, region].to_numpy(dtype=float)
    return np.asarray(values[np.isfinite(values)])


def _word(row: RegionalVolume, held_out: float) -> str:
    if np.isnan(row.difference):
        return f"{row.region}: not compared, as fewer than {FEWEST} scans of a kind could be measured."
    differs = "larger than" if row.low > 0 else "smaller than" if row.high < 0 else ""
    told = f"{differs} in held-out real scans" if differs else "no difference from held-out real scans is shown"
    return (
        f"{row.region}: {told}, {row.mean_ml:.0f} ml against {held_out:.0f} ml, "
        f"difference {row.difference:+.1f} ml [{row.low:+.1f}, {row.high:+.1f}]."
    )
