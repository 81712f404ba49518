"""Sessions in the order of time, and each subject's first one."""

import re
from collections.abc import Hashable

import numpy as np
import pandas as pd

from cohortsmith.evaluation.leakage import person_of

_MONTH = r"(?i)^(?:ses-)?M(\d+)$"


def natural_order(label: str) -> tuple[int | str, ...]:
    """Give a key by which numbers within text are compared as numbers: ses-2 < ses-10, and M00 is M000."""
    parts = re.split(r"([0-9]+)", label.strip())
    return tuple(int(part) if place % 2 else part.casefold() for place, part in enumerate(parts))


def months(sessions: pd.DataFrame) -> pd.Series:
    """Give months since baseline: the column `month`, or what a session label such as ses-M012 says, or NaN."""
    labelled = sessions["session_id"].astype(str).str.extract(_MONTH, expand=False).astype(float)
    return _numbers(sessions, "month").fillna(labelled)


def in_order(sessions: pd.DataFrame) -> pd.DataFrame:
    """Order rows by subject and time.

    Time is `day` where all rows of a subject have one, else months, else the session's label in natural order.
    """
    if "session_id" not in sessions:
        return sessions.sort_values("participant_id", kind="stable")
    persons = sessions["participant_id"].map(person_of)
    keys = pd.DataFrame(
        {
            "person": persons,
            "day": _where_complete(_numbers(sessions, "day"), persons),
            "month": _where_complete(months(sessions), persons),
            "label": _ranks(sessions["session_id"]),
        }
    ).reset_index(drop=True)
    return sessions.iloc[keys.sort_values(["person", "day", "month", "label"]).index]


def first_sessions(participants: pd.DataFrame) -> pd.DataFrame:
    """Keep each subject's earliest session, ordered by subject; age and mmse become numbers or NaN."""
    ordered = in_order(participants)
    first = ordered[~ordered["participant_id"].map(person_of).duplicated()].reset_index(drop=True)
    missing: dict[str, float] = dict.fromkeys({"age", "sex", "mmse"} - set(first), np.nan)
    first = first.assign(**missing)
    return first.assign(**{name: pd.to_numeric(first[name], errors="coerce") for name in ("age", "mmse")})


def _numbers(sessions: pd.DataFrame, name: str) -> pd.Series:
    if name not in sessions:
        return pd.Series(np.nan, index=sessions.index)
    return pd.to_numeric(sessions[name], errors="coerce").astype(float)


def _where_complete(values: pd.Series, persons: pd.Series) -> pd.Series:
    complete = values.notna().groupby(persons).transform("all")
    return values.where(complete, 0.0)


def _ranks(labels: pd.Series) -> pd.Series:
    texts: pd.Series = labels.astype(str)
    ordered = sorted(set(texts), key=lambda label: (natural_order(label), label))
    ranks: dict[Hashable, int] = {label: rank for rank, label in enumerate(ordered)}
    return texts.map(ranks)
