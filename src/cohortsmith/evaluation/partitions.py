"""The ways in which a study's scans are shared out: its training sets, and the folds of each repeat.

A partition assigns every scan to train, validation, test, external or unused. Each has generators and classifiers of
its own, which see nothing of any other partition.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.split import SplitConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.leakage import person_of
from cohortsmith.evaluation.split_quality import subset_size
from cohortsmith.evaluation.splits import UNUSED, count

CROSS_VALIDATION = "cross-validation"
COLUMNS = ("partition", "training_set", "repeat", "fold", "row", "key", "participant_id", "diagnosis", "split")


def partition_scans(
    splits: pd.DataFrame, config: SplitConfig, training_sets: Sequence[str], folds: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Tabulate every partition: one row per partition and scan, with the columns `COLUMNS`.

    splits: one row per scan, in the order of the images, as from `split_subjects`, with the external study's below.
    training_sets: names such as train-50 and train-full. folds: as from `assign_folds`.
    row: the scan's place in `splits`. repeat and fold are missing but in cross-validation. There, of the subjects that
    a fold does not test, `config.validation` per diagnosis validate (drawn at random, one at least) and the others
    train; subjects in no fold are unused.

    Raises:
        StudyError: a fold leaves fewer than `config.minimum_per_class` subjects of a diagnosis to train on.
    """
    rows = splits.reset_index(drop=True)
    parts = [_held_out(rows, name) for name in training_sets]
    if folds is not None:
        parts += _cross_validated(rows, folds, config)
    return pd.concat(parts, ignore_index=True)


def splits_of(splits: pd.DataFrame, partition: pd.DataFrame) -> pd.DataFrame:
    """Give the table of scans with the sets of one partition, in the order of the images."""
    return splits.reset_index(drop=True).assign(split=partition.set_index("row")["split"])


def _held_out(rows: pd.DataFrame, training_set: str) -> pd.DataFrame:
    within = rows["training_set"].notna()
    seen = within & (rows["training_set"].fillna(training_set).map(subset_size) <= subset_size(training_set))
    split = rows["split"].mask(within, UNUSED).mask(seen, "train")
    return _named(rows, split, partition=training_set, training_set=training_set)


def _cross_validated(rows: pd.DataFrame, folds: pd.DataFrame, config: SplitConfig) -> Iterator[pd.DataFrame]:
    own = rows["split"] != "external"
    persons = rows["participant_id"].map(person_of)
    for repeat, dealt in folds.groupby("repeat"):
        fold_of = dict(zip(dealt["participant_id"].map(person_of), dealt["fold"], strict=True))
        tested_in = persons.map(fold_of).where(own)
        for fold in sorted(set(dealt["fold"])):
            others = rows[tested_in.notna() & (tested_in != fold)]
            validating = _draw_validation(others, config, (int(str(repeat)), int(fold)))
            split = rows["split"].where(~own, UNUSED).mask(tested_in == fold, "test")
            split = split.mask(rows.index.isin(others.index), "train").mask(
                own & persons.isin(validating), "validation"
            )
            name = f"repeat-{int(str(repeat)):02d}_fold-{fold}"
            yield _named(rows, split, partition=name, training_set=CROSS_VALIDATION, repeat=repeat, fold=fold)


def _draw_validation(others: pd.DataFrame, config: SplitConfig, place: tuple[int, int]) -> set[str]:
    random = np.random.default_rng([config.seed, config.folds, *place])
    by_diagnosis = others.groupby("diagnosis", sort=True)["participant_id"]
    persons = {str(label): sorted(set(ids.map(person_of))) for label, ids in by_diagnosis}
    return {person for label, own in persons.items() for person in _draw(own, label, config, random)}


def _draw(persons: list[str], label: str, config: SplitConfig, random: np.random.Generator) -> NDArray[Any]:
    validating = max(1, count(config.validation, len(persons)))
    if len(persons) - validating < config.minimum_per_class:
        raise StudyError(
            "too few subjects of a diagnosis to train on in a fold",
            where=f"split.validation, with split.folds {config.folds}; diagnosis {label}",
            got=f"{len(persons)} subjects that a fold does not test, {validating} of them to validate",
            expected=f"at least {config.minimum_per_class} left to train on (split.minimum_per_class)",
            remedy="lower split.validation or split.minimum_per_class, raise split.folds, or set split.fold_subjects: "
            "all",
        )
    return random.choice(persons, validating, replace=False)


def _named(rows: pd.DataFrame, split: pd.Series, **names: Any) -> pd.DataFrame:
    table = rows.assign(**{"repeat": np.nan, "fold": np.nan, **names}, row=rows.index, split=split)
    return table[list(COLUMNS)]
