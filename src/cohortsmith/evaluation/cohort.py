"""Who is in the study: the table of demographics that opens a clinical paper."""

import pandas as pd

from cohortsmith.evaluation.splits import first_sessions


def summarise_cohort(participants: pd.DataFrame) -> pd.DataFrame:
    """Summarise the subjects of every split and diagnosis, at their first session.

    participants: participant_id, diagnosis, split, and age (years), sex (M/F), mmse where known.
    Returns one row per split and diagnosis: subjects, age_mean, age_sd, male, female, mmse_mean, mmse_sd, after
    table 1.5 of Chadebec's thesis (2023); s.d. with n - 1; NaN where nothing is known.
    """
    # a subject of another study may bear the same id: the split tells them apart
    parts = [first_sessions(part) for _, part in participants.groupby("split", sort=False)]
    return (
        pd.concat(parts)
        .groupby(["split", "diagnosis"], sort=False)
        .agg(
            subjects=("participant_id", "size"),
            age_mean=("age", "mean"),
            age_sd=("age", "std"),
            male=("sex", lambda sex: int((sex == "M").sum())),
            female=("sex", lambda sex: int((sex == "F").sum())),
            mmse_mean=("mmse", "mean"),
            mmse_sd=("mmse", "std"),
        )
        .reset_index()
    )


def format_cohort(summary: pd.DataFrame) -> pd.DataFrame:
    """Word the summary as it is printed: "73.3 ± 6.0", "185/218", "n/a" where nothing is known."""
    return pd.DataFrame(
        {
            "split": summary["split"],
            "diagnosis": summary["diagnosis"],
            "subjects": summary["subjects"],
            "age (years)": _mean_and_sd(summary, "age"),
            "sex M/F": [f"{row.male}/{row.female}" for row in summary.itertuples()],
            "MMSE": _mean_and_sd(summary, "mmse"),
        }
    )


def _mean_and_sd(summary: pd.DataFrame, name: str) -> list[str]:
    pairs = zip(summary[f"{name}_mean"], summary[f"{name}_sd"], strict=True)
    return ["n/a" if pd.isna(mean) else f"{mean:.1f} ± {sd:.1f}".removesuffix(" ± nan") for mean, sd in pairs]
