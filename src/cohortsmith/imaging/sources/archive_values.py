"""Columns of text turned into dates, numbers and our own words, all rows at once."""

from collections.abc import Iterable, Mapping

import pandas as pd

from cohortsmith.imaging.free_text import is_formula, plain_text

_LONGEST = 100
_YEAR_FIRST = r"^(?P<year>[0-9]{4})[-/]?(?P<month>[0-9]{1,2})[-/]?(?P<day>[0-9]{1,2})"
# The archives are American and Australian, but both write the month first.
_MONTH_FIRST = r"^(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4})"


def known(text: pd.Series, missing: Iterable[str]) -> pd.Series:
    """Empty every cell that only says that nothing is known."""
    return text.where(~text.str.lower().isin(list(missing)), "")


def harmless(text: pd.Series) -> pd.Series:
    """Put text on one line; empty every cell that begins as formulas do, or that is too long to be a name."""
    distinct = text.drop_duplicates()
    plain = [plain_text(one[: _LONGEST + 1]) for one in distinct]
    kept = ["" if is_formula(one) or len(one) > _LONGEST else one for one in plain]
    return look_up(text, pd.Series(kept, index=distinct, dtype=str))


def parse_dates(text: pd.Series) -> pd.Series:
    """Read YYYY-MM-DD, YYYYMMDD or M/D/YYYY, with or without a time of day; NaT for anything else."""
    distinct = text.drop_duplicates()
    year_first, month_first = distinct.str.extract(_YEAR_FIRST), distinct.str.extract(_MONTH_FIRST)
    parts = year_first.fillna(month_first[year_first.columns]).astype("float")
    dates = pd.to_datetime(parts, errors="coerce").astype("datetime64[s]")
    return look_up(text, dates.set_axis(distinct))


def contains(text: pd.Series, pattern: str) -> pd.Series:
    """Say where a regular expression matches within the text. Archives repeat few names many times."""
    distinct = text.drop_duplicates()
    return look_up(text, distinct.str.contains(pattern).set_axis(distinct)).astype(bool)


def look_up(keys: pd.Series, values: pd.Series) -> pd.Series:
    """Give each key its value, missing where there is none; the values' index holds each key once."""
    # Series.map turns values without any row into numbers, whatever they are.
    return values.reindex(keys).set_axis(keys.index)


def parse_numbers(text: pd.Series, low: float = -float("inf"), high: float = float("inf")) -> pd.Series:
    """Read numbers from `low` to `high`; NaN for anything else."""
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    return numbers.where(numbers.between(low, high))


def digits(text: pd.Series) -> pd.Series:
    """Give the number in identifiers such as I123, S45 or 45.0, without leading zeros; empty if there is none."""
    return text.str.extract(r"^[IS]?0*([0-9]+)(?:\.0)?$", expand=False).fillna("").astype(str)


def translate(text: pd.Series, words: Mapping[str, str]) -> pd.Series:
    """Translate values without regard to letter case; n/a for those not listed."""
    plain = text.str.lower().str.removesuffix(".0")
    return plain.map({key.lower(): value for key, value in words.items()}).fillna("n/a").astype(str)


def days_between(later: pd.Series, earlier: pd.Series) -> pd.Series:
    """Count days, as floats; NaN where a date is unknown."""
    return (later - earlier).dt.total_seconds() / 86400
