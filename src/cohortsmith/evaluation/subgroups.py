"""Whom an arm helps: its difference from the real arm within each sex, age band, site and field strength.

Every group is compared with all other subjects of the test set (interaction). Many groups are looked at, so the
interaction's p-values are corrected (Holm) over all arms and groups of a test set; a group that seems to differ by its
own interval alone is to be expected.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from cohortsmith.evaluation.intervals import Uncertain, estimate, estimate_contrast, interval, p_value
from cohortsmith.evaluation.multiplicity import holm
from cohortsmith.evaluation.scores import ByClass, pair_arms, values_of
from cohortsmith.evaluation.sessions import first_sessions
from cohortsmith.evaluation.verdict import MINIMUM_SEEDS, MINIMUM_SUBJECTS

VARIABLES = ("sex", "age_band", "site", "field_strength")
AGE_EDGES = (65.0, 75.0, 85.0)


class SubgroupEffect(NamedTuple):
    """The balanced accuracy of one arm minus the real arm's in one group of subjects: a row of `compare_subgroups`.

    low, high: the interval at `confidence`, of this group alone. interaction: the group's difference minus that of
    all other subjects whose group is known, with its interval; p_value, p_holm: that the two differ.
    too_few: fewer seeds, or subjects of a class here or among the others, than are ever judged; then only the numbers
    of subjects are given.
    """

    test_set: str
    arm: str
    variable: str
    group: str
    n_seeds: int
    n_controls: int
    n_patients: int
    too_few: bool
    difference: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    interaction: float = float("nan")
    interaction_low: float = float("nan")
    interaction_high: float = float("nan")
    confidence: float = float("nan")
    p_value: float = float("nan")
    p_holm: float = float("nan")

    def sentence(self) -> str:
        """Word the row; "differs" is said only after correction."""
        who = f"{self.variable} {self.group} ({self.n_controls} controls, {self.n_patients} patients)"
        where = f"{self.arm} on {self.test_set}"
        if self.too_few:
            return f"{where}: too few in {who}, or among the others, to be judged."
        word = "differs from the others" if self.p_holm < 1 - self.confidence else "no difference from the others shown"
        return (
            f"{where}: {self.difference:+z.3f} [{self.low:+z.3f}, {self.high:+z.3f}] in {who}; {word} "
            f"({self.interaction:+z.3f}, corrected p = {self.p_holm:.2g})."
        )


def group_subjects(participants: pd.DataFrame) -> pd.DataFrame:
    """Tabulate which groups each subject of a split is in, at the first session: test_set and `VARIABLES`.

    participants: one row per session: participant_id, split (its name is the test set's), and age (years), sex, site,
    field_strength (tesla) where known. Unknown is missing.
    """
    # a subject of another study may bear the same id: the split tells them apart
    first = pd.concat([first_sessions(part) for _, part in participants.groupby("split", sort=False)])
    groups = first.assign(test_set=first["split"], age_band=band_ages(first["age"]))
    return groups.reindex(columns=["test_set", "participant_id", *VARIABLES])


def band_ages(ages: pd.Series, edges: Sequence[float] = AGE_EDGES) -> pd.Series:
    """Put ages (years) into bands: "below 65", "65-74", "75-84", "85 and over"; an edge belongs to the band above."""
    labels = [f"below {edges[0]:g}", *(f"{a:g}-{b - 1:g}" for a, b in pairwise(edges))]
    bands = pd.cut(ages, [-np.inf, *edges, np.inf], right=False, labels=[*labels, f"{edges[-1]:g} and over"])
    return bands.astype(object)


def compare_subgroups(
    predictions: pd.DataFrame, groups: pd.DataFrame, confidence: float, n_draws: int, random: np.random.Generator
) -> pd.DataFrame:
    """Compare each arm with the real arm within every group: one `SubgroupEffect` per test set, arm and group.

    predictions: as in `evaluation/scores.py`. groups: as from `group_subjects`: test_set, participant_id, and one
    column per variable; a variable without two groups in a test set is left out.
    """
    rows = [
        _judge(test_set, arm, groups_of, confidence, n_draws, random)
        for (test_set, arm), paired in pair_arms(predictions).items()
        for groups_of in _divide(paired, groups[groups["test_set"] == test_set])
    ]
    table = pd.DataFrame(rows, columns=list(SubgroupEffect._fields))
    corrected = table[~_is_mirrored(table)].groupby("test_set", sort=False)["p_value"].transform(holm)
    return table.assign(p_holm=corrected).pipe(_give_mirrored_their_pairs)


class _Divided(NamedTuple):
    variable: str
    group: str
    own: ByClass
    others: ByClass


def _divide(paired: ByClass, groups: pd.DataFrame) -> Iterator[_Divided]:
    by_subject = groups.set_index("participant_id").drop(columns="test_set")
    for variable in by_subject:
        of_subject = by_subject[variable].dropna().map(_name)
        tested = of_subject[of_subject.index.isin([name for table in paired for name in table])]
        names = sorted(tested.unique())
        for name in names if len(names) > 1 else []:
            own, others = (_choose(paired, tested.index[mask]) for mask in (tested == name, tested != name))
            yield _Divided(str(variable), name, own, others)


def _name(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _choose(paired: ByClass, subjects: pd.Index) -> ByClass:
    controls, patients = (table.loc[:, table.columns.isin(subjects)] for table in paired)
    return controls, patients


def _judge(
    test_set: str, arm: str, divided: _Divided, confidence: float, n_draws: int, random: np.random.Generator
) -> SubgroupEffect:
    n_seeds, sizes = len(divided.own[0]), [table.shape[1] for table in divided.own]
    fewest = min(*sizes, *(table.shape[1] for table in divided.others))
    too_few = n_seeds < MINIMUM_SEEDS or fewest < MINIMUM_SUBJECTS
    row = SubgroupEffect(test_set, arm, divided.variable, divided.group, n_seeds, sizes[0], sizes[1], too_few)
    if too_few:
        return row
    own, others = values_of(divided.own), values_of(divided.others)
    alone = estimate(own, n_draws, random)
    return _filled(row, alone, estimate_contrast(own, others, n_draws, random), confidence)


def _filled(row: SubgroupEffect, alone: Uncertain, contrast: Uncertain, confidence: float) -> SubgroupEffect:
    low, high = interval(alone, confidence)
    interaction_low, interaction_high = interval(contrast, confidence)
    return row._replace(
        difference=alone.value,
        low=low,
        high=high,
        interaction=contrast.value,
        interaction_low=interaction_low,
        interaction_high=interaction_high,
        confidence=confidence,
        p_value=p_value(contrast),
    )


def _is_mirrored(table: pd.DataFrame) -> pd.Series:
    """Of two groups the second asks the first one's question: it is not counted again."""
    of_variable = table.groupby(["test_set", "arm", "variable"], sort=False)["group"]
    return (of_variable.transform("size") == 2) & (of_variable.cumcount() == 1)


def _give_mirrored_their_pairs(table: pd.DataFrame) -> pd.DataFrame:
    mirrored = _is_mirrored(table)
    return table.assign(p_holm=table["p_holm"].where(~mirrored, table["p_holm"].shift()))
