"""Folds for repeated cross-validation: by subject, balanced in diagnosis and, within it, in site."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.split import SplitConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.matching import known
from cohortsmith.evaluation.sessions import first_sessions


def assign_folds(participants: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    """Say in which fold each subject is tested: one row per subject and repeat: participant_id, repeat, fold.

    participants: one row per session, with participant_id, diagnosis, and site where known; all sessions of a
        subject are tested together. Subjects are dealt out in turn, diagnosis by diagnosis and site by site: of
        neither do two folds differ by more than one subject.

    Raises:
        StudyError: fewer subjects of a diagnosis than folds.
    """
    subjects = first_sessions(participants)
    _check(subjects, config.folds)
    site = known(subjects, "site").fillna("n/a") if "site" in config.match else pd.Series("", subjects.index)
    strata = pd.factorize(subjects["diagnosis"].astype(str) + "\t" + site, sort=True)[0]
    parts = [
        pd.DataFrame({"participant_id": subjects["participant_id"], "repeat": repeat, "fold": folds})
        for repeat, folds in enumerate(_deal(strata, config))
    ]
    return pd.concat(parts, ignore_index=True)


def _deal(strata: NDArray[np.int64], config: SplitConfig) -> Iterator[NDArray[np.int64]]:
    for repeat in range(config.repeats):
        random = np.random.default_rng([config.seed, config.folds, repeat])
        folds = np.empty(len(strata), dtype=np.int64)
        folds[np.lexsort((random.random(len(strata)), strata))] = np.arange(len(strata)) % config.folds
        # Else the first folds would always be the larger ones.
        yield random.permutation(config.folds)[folds]


def _check(subjects: pd.DataFrame, folds: int) -> None:
    fewest = subjects["diagnosis"].value_counts().sort_values().head(1)
    if fewest.lt(folds).any():
        raise StudyError(
            "too few subjects of a diagnosis for the folds",
            where="split.folds",
            got=f"{fewest.iloc[0]} subjects of {fewest.index[0]}",
            expected=f"at least {folds}, one per fold",
            remedy="lower split.folds",
        )
