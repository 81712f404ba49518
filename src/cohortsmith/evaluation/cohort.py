"""Who is in the study: the table of demographics that opens a clinical paper."""

from typing import Any

import pandas as pd

from cohortsmith.evaluation.leakage import person_of
from cohortsmith.evaluation.matching import known
from cohortsmith.evaluation.sessions import first_sessions

# All sets of the study itself; the external study is its own row.
WHOLE = "all"
_MOMENTS = {"mean": "mean", "sd": "std", "min": "min", "max": "max"}


def summarise_cohort(participants: pd.DataFrame) -> pd.DataFrame:
    """Summarise the subjects of every split and diagnosis, at their first session; the whole study first.

    participants: participant_id, diagnosis, split, and age (years), sex (M/F), mmse, cdr, site where known.
    Returns one row per split and diagnosis: subjects, <age, mmse>_<mean, sd, min, max>, male, female, cdr (counts per
    score, in words), scans (per subject)_<mean, min, max>, sites, after table 1.5 of Chadebec's thesis (2023); s.d.
    with n - 1; NaN where nothing is known.
    """
    own = participants[participants["split"] != "external"]
    whole = own.assign(split=WHOLE) if own["split"].nunique() > 1 else own.head(0)
    # A subject of another study may bear the same id: the split tells them apart.
    parts = [_at_first_session(part) for _, part in pd.concat([whole, participants]).groupby("split", sort=False)]
    groups = pd.concat(parts).groupby(["split", "diagnosis"], sort=False)
    return pd.DataFrame([dict(zip(("split", "diagnosis"), key, strict=True)) | _summarise(own) for key, own in groups])


def format_cohort(summary: pd.DataFrame) -> pd.DataFrame:
    """Word the summary as it is printed: "73.3 ± 6.0 [55.1, 89.0]", "185/218", "n/a" where nothing is known."""
    return pd.DataFrame(
        {
            "split": summary["split"],
            "diagnosis": summary["diagnosis"],
            "subjects": summary["subjects"],
            "age (years)": _mean_sd_range(summary, "age"),
            "sex M/F": [f"{row.male}/{row.female}" for row in summary.itertuples()],
            "MMSE": _mean_sd_range(summary, "mmse", "g"),
            "CDR": summary["cdr"],
            "scans per subject": _mean_range(summary),
            "sites": [count or "n/a" for count in summary["sites"]],
        }
    )


def _at_first_session(part: pd.DataFrame) -> pd.DataFrame:
    scans = part["participant_id"].map(person_of).value_counts()
    first = first_sessions(part)
    return first.assign(scans=first["participant_id"].map(person_of).map(scans))


def _summarise(subjects: pd.DataFrame) -> dict[str, Any]:
    moments = {f"{name}_{word}": subjects[name].agg(how) for name in ("age", "mmse") for word, how in _MOMENTS.items()}
    return {
        "subjects": len(subjects),
        **moments,
        "male": int((subjects["sex"] == "M").sum()),
        "female": int((subjects["sex"] == "F").sum()),
        "cdr": _count_scores(subjects),
        **{f"scans_{how}": subjects["scans"].agg(how) for how in ("mean", "min", "max")},
        "sites": known(subjects, "site").nunique(),
    }


def _count_scores(subjects: pd.DataFrame) -> str:
    scores = pd.to_numeric(known(subjects, "cdr"), errors="coerce").dropna()
    return ", ".join(f"{score:g}: {n}" for score, n in scores.value_counts().sort_index().items()) or "n/a"


def _mean_sd_range(summary: pd.DataFrame, name: str, ends: str = ".1f") -> list[str]:
    mean, sd, low, high = (summary[f"{name}_{how}"] for how in _MOMENTS)
    return [_worded(*values, ends=ends) for values in zip(mean, sd, low, high, strict=True)]


def _worded(mean: float, sd: float, low: float, high: float, *, ends: str) -> str:
    if pd.isna(mean):
        return "n/a"
    if pd.isna(sd):
        return f"{mean:.1f}"
    return f"{mean:.1f} ± {sd:.1f} [{low:{ends}}, {high:{ends}}]"


def _mean_range(summary: pd.DataFrame) -> list[str]:
    rows = zip(summary["scans_mean"], summary["scans_min"], summary["scans_max"], strict=True)
    return ["1" if most == 1 else f"{mean:.1f} [{least}, {most}]" for mean, least, most in rows]
