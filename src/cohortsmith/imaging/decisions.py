"""Keep, drop or look: what the numbers say of each scan, and what a person decided."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from cohortsmith.errors import StudyError
from cohortsmith.imaging.bids import alphanumeric, entities
from cohortsmith.imaging.quality import outliers

KEEP, DROP, LOOK = "keep", "drop", "look"
RULE, PERSON = "rule", "person"
COLUMNS = ("participant_id", "session_id", "decision", "reason")


class Decision(NamedTuple):
    """What becomes of a scan. decision: keep, drop or look (kept until a person drops it). by: rule or person."""

    decision: str
    reason: str
    by: str = RULE


class PersonsDecisions(NamedTuple):
    """What a person decided of scans of this study, by key, and what could not be related to any scan."""

    of_scans: dict[str, Decision]
    warnings: list[str]


def read_decisions(table: pd.DataFrame | None, keys: Iterable[str]) -> PersonsDecisions:
    """Relate a table of participant_id, session_id (optional), decision and reason to the study's scans.

    A row without a session counts for all of a participant's scans; a row with one goes before it. A row of nobody in
    the study is a warning. Messages number lines and never repeat a cell, which may hold a hospital's identifier.
    Raises `StudyError` for a missing column, a word other than keep and drop, or rows that contradict each other.
    """
    if table is None or table.empty:
        return PersonsDecisions({}, [])
    _require_columns(table)
    places = {entities(key): key for key in keys}
    chosen: dict[str, tuple[bool, Decision]] = {}
    warnings = []
    for number, row in enumerate(table.fillna("").astype(str).to_dict("records"), start=2):
        decision = _decision(row, number)
        session = alphanumeric(row.get("session_id", "").replace("n/a", ""))
        own = [
            key
            for (subject, visit), key in places.items()
            if subject == alphanumeric(row["participant_id"]) and (not session or visit == session)
        ]
        if not own:
            warnings.append(f"line {number} of the table of decisions is about no scan of this study")
        for key in own:
            chosen[key] = _stronger(chosen.get(key), (bool(session), decision), number)
    return PersonsDecisions({key: decision for key, (_, decision) in sorted(chosen.items())}, warnings)


def _require_columns(table: pd.DataFrame) -> None:
    missing = [name for name in ("participant_id", "decision") if name not in table]
    unknown = [str(name) for name in table if name not in COLUMNS]
    if missing or unknown:
        raise StudyError(
            "the table of decisions cannot be read",
            got=f"without {', '.join(missing)}" if missing else f"unknown columns: {', '.join(unknown)}",
            expected=f"tab-separated columns {', '.join(COLUMNS)}; session_id and reason may be missing",
            remedy="copy the lines from the quality page; columns are separated by tabs",
        )


def _decision(row: Mapping[Any, Any], number: int) -> Decision:
    word = str(row["decision"]).strip().lower()
    if word not in (KEEP, DROP):
        raise StudyError(
            "a decision is neither keep nor drop",
            where=f"line {number} of the table of decisions",
            expected="keep or drop",
            remedy="correct the word, or remove the line",
        )
    return Decision(word, str(row.get("reason", "")).strip() or "no reason given", PERSON)


def _stronger(known: tuple[bool, Decision] | None, new: tuple[bool, Decision], number: int) -> tuple[bool, Decision]:
    if known is None or known[0] != new[0]:
        return new if known is None or new[0] else known
    if known[1].decision != new[1].decision:
        raise StudyError(
            "two decisions on one scan contradict each other",
            where=f"line {number} of the table of decisions",
            got=f"{known[1].decision} and {new[1].decision}",
            expected="one decision for each scan",
            remedy="remove one of the lines",
        )
    return new


def decide(
    cohort: Mapping[str, Mapping[str, float]], minimum_correlation: float, persons: Mapping[str, Decision]
) -> dict[str, Decision]:
    """Decide on every scan: a person's word first, then the least correlation with the template, then the outliers.

    cohort: BIDS key -> numbers of `prepare_scan` (none for slices).
    """
    unlike = {key: numbers for key, numbers in cohort.items() if _correlation(numbers) < minimum_correlation}
    # A scan that went wrong does not tell what is usual.
    usual = {key: numbers for key, numbers in cohort.items() if key not in unlike}
    standing_out: dict[str, list[str]] = {}
    for one in outliers(usual):
        standing_out.setdefault(one.key, []).append(f"{one.number.replace('_', ' ')} {one.value:.3g}")
    decisions = {key: Decision(KEEP, "nothing stands out") for key in cohort}
    decisions |= {
        key: Decision(LOOK, f"{' and '.join(numbers)} stands out from the cohort")
        for key, numbers in standing_out.items()
    }
    decisions |= {key: Decision(DROP, _unlike(numbers, minimum_correlation)) for key, numbers in unlike.items()}
    return decisions | {key: persons[key] for key in cohort if key in persons}


def _correlation(numbers: Mapping[str, float]) -> float:
    return numbers.get("template_correlation", 1.0)


def _unlike(numbers: Mapping[str, float], minimum: float) -> str:
    return (
        f"does not resemble the template: correlation {_correlation(numbers):.2f} inside the brain, "
        f"at least {minimum:g} expected"
    )


def quality_table(
    cohort: Mapping[str, Mapping[str, float]], decisions: Mapping[str, Decision], others: Mapping[str, Decision]
) -> pd.DataFrame:
    """Put keys, decisions with their reasons, and numbers into one row per scan, the ones to look at first.

    others: decisions on scans without numbers, because a person dropped them before they were prepared.
    """
    order = (DROP, LOOK, KEEP)
    every = {**others, **decisions}
    keys = sorted(every, key=lambda key: (order.index(every[key].decision), key))
    return pd.DataFrame(list(_rows(keys, every, cohort)), columns=_columns(cohort))


def _rows(
    keys: list[str], decisions: Mapping[str, Decision], cohort: Mapping[str, Mapping[str, float]]
) -> Iterator[dict[str, Any]]:
    for key in keys:
        subject, session = entities(key)
        chosen = decisions[key]
        yield {
            "key": key,
            "participant_id": f"sub-{subject}",
            "session_id": f"ses-{session}",
            "decision": chosen.decision,
            "decided_by": chosen.by,
            "reason": chosen.reason,
            **cohort.get(key, {}),
        }


def _columns(cohort: Mapping[str, Mapping[str, float]]) -> list[str]:
    numbers = dict.fromkeys(name for values in cohort.values() for name in values)
    return ["key", "participant_id", "session_id", "decision", "decided_by", "reason", *numbers]
