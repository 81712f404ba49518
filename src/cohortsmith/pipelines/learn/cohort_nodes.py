"""From converted and prepared scans to the cohort, its splits and its folds."""

from pathlib import Path

import pandas as pd

from cohortsmith.config.cohort import CohortConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.cohort_rules import select_scans
from cohortsmith.evaluation.folds import assign_folds
from cohortsmith.evaluation.split_quality import compare_splits
from cohortsmith.evaluation.splits import UNUSED, split_subjects
from cohortsmith.imaging.bids import alphanumeric, scan_key
from cohortsmith.imaging.sources.clinical_table import read_table
from cohortsmith.imaging.stored import Stored


def select_cohort(
    study: StudyConfig,
    cohort: CohortConfig,
    participants: pd.DataFrame,
    clinical_visits: pd.DataFrame,
    prepared: dict[str, Stored],
    *,
    role: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Choose the scans that are used; give them, those left out with the rule, and the counts of each step."""
    table = cohort.external_keep_table if role == "external" else cohort.keep_table
    keep = _read_keys(Path(table)) if table else None
    selection = select_scans(participants, clinical_visits, study.labels, cohort, prepared, keep)
    prints = [prepared[key].record["Fingerprint"] for key in selection.cohort["key"]]
    return selection.cohort.assign(fingerprint=prints), selection.exclusions, selection.flow


def split_cohort(
    study: StudyConfig, split: SplitConfig, cohort: pd.DataFrame, external_cohort: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Assign every scan of the cohorts to train, validation, test, unused or external; say how alike the sets are."""
    own = split_subjects(cohort, split, study.labels).reset_index(drop=True)
    quality = compare_splits(own, split)
    if external_cohort is None:
        return own, quality
    return pd.concat([own, external_cohort.assign(split="external")], ignore_index=True), quality


def make_folds(split: SplitConfig, splits: pd.DataFrame) -> pd.DataFrame:
    """Deal out the subjects to the folds of a cross-validation: those of the full training set, or all."""
    wanted = ("train", UNUSED) if split.fold_subjects == "train" else ("train", UNUSED, "validation", "test")
    return assign_folds(splits[splits["split"].isin(wanted)], split)


def track_split_quality(quality: pd.DataFrame) -> dict[str, float]:
    """Give the parent run the p-values of every comparison."""
    rows = quality.melt(["diagnosis", "compared"], ["p_age", "p_sex", "p_site"], "test", "p_value").dropna()
    return {f"split.{row.diagnosis}.{row.compared}.{row.test}": float(row.p_value) for row in rows.itertuples()}


def _read_keys(table: Path) -> list[str]:
    rows = read_table(table, ("participant_id",))
    return [
        scan_key(row["participant_id"], row["session_id"])
        if "session_id" in row
        else f"sub-{alphanumeric(row['participant_id'])}"
        for row in rows
    ]
