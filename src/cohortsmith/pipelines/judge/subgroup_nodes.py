"""Whom an arm helps: the groups that the test subjects are in, and the arms within each."""

import numpy as np
import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.evaluation.partitions import CROSS_VALIDATION
from cohortsmith.evaluation.settings import EXTERNAL, name_setting, number_runs, settings_of
from cohortsmith.evaluation.subgroups import compare_subgroups, group_subjects
from cohortsmith.imaging.sources.adni_images import nominal_field_strength
from cohortsmith.imaging.stored import Stored


def compare_groups(
    predictions: pd.DataFrame, splits: pd.DataFrame, judge: JudgeConfig, seed: int, *scans: dict[str, Stored]
) -> pd.DataFrame:
    """Compare every arm with the real arm within each sex, age band, site and field strength.

    scans: converted scans of the study and, if there is one, of the external study; their records know the scanner.
    """
    participants = splits.assign(field_strength=field_strengths(splits, *scans))
    random = np.random.default_rng([seed, judge.bootstrap, len(splits)])
    # In cross-validation any subject of the study may be tested.
    tested = participants.assign(split=participants["split"].where(participants["split"] == EXTERNAL, "test"))
    groups = {True: group_subjects(tested), False: group_subjects(participants)}
    parts = [
        name_setting(
            compare_subgroups(
                number_runs(rows),
                groups[setting.training_set == CROSS_VALIDATION],
                judge.confidence,
                judge.bootstrap,
                random,
            ),
            setting,
        )
        for setting, rows in settings_of(predictions)
    ]
    return pd.concat(parts, ignore_index=True)


def field_strengths(
    splits: pd.DataFrame, own: dict[str, Stored], external: dict[str, Stored] | None = None
) -> pd.Series:
    """Look up the nominal field strength (tesla) of each scan; NaN if its record has none."""
    sides = {True: external or {}, False: own}
    found = (sides[split == "external"].get(key) for key, split in zip(splits["key"], splits["split"], strict=True))
    tesla = [str(scan.record.get("MagneticFieldStrength", "")) if scan else "" for scan in found]
    return nominal_field_strength(pd.Series(tesla, index=splits.index, dtype=str))
