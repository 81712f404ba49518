"""Say in words whether an arm helps, by a rule that is stated beside the words."""

from math import ceil
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from cohortsmith.evaluation.intervals import Uncertain, interval
from cohortsmith.evaluation.scores import CONTROL, REFERENCE, Difference

HELPS, HARMS, NO_DIFFERENCE = "helps", "harms", "makes no difference"
CANNOT_TELL, BROKEN = "cannot tell", "protocol broken"

# fewer than this are described, never judged
MINIMUM_SEEDS = 3
MINIMUM_SUBJECTS = 10

# how often an effect of the smallest size that matters should be shown, when subjects are counted for the next study
POWER = 0.8

# "the protocol is broken" is a grave word, so all controls of a run are checked together. A few seeds may be alike by
# luck: in simulated sound runs with four controls it was said wrongly in 8 to 11 % with 3 seeds, in 3 % with 5, in 1 to
# 1.5 % with 10; by itself, a control was called broken in 4 %, 2 % and 1 %
CONTROL_CONFIDENCE = 0.99

_ABSENT = "; no random-label control was run"
_UNCHECKED = "; the random-label control is too small to be checked"


class Verdict(NamedTuple):
    """What one arm does on one test set: the word, and the sentence that may be quoted.

    training_set, net: the setting that it holds for, where there are several.
    """

    test_set: str
    arm: str
    word: str
    sentence: str
    training_set: str = ""
    net: str = ""


def give_verdicts(
    arms: pd.DataFrame,
    differences: pd.DataFrame,
    smallest_effect: float,
    runs: str = "seeds",
    n_controls: int | None = None,
) -> list[Verdict]:
    """Judge every row of `compare_arms`, given the rows of `summarise_arms` and the smallest effect that matters.

    runs: what the sentences call the runs of an arm. n_controls: `count_controls` of all arms of the run, of which
    these may be a part; by default of these.
    """
    confidence = 1 - (1 - CONTROL_CONFIDENCE) / max(count_controls(arms) if n_controls is None else n_controls, 1)
    controls = arms[arms["arm"] == CONTROL].set_index("test_set")
    found = {str(test_set): _check(row, confidence) for test_set, row in controls.iterrows()}
    rows = (Difference(*row) for row in differences[list(Difference._fields)].itertuples(index=False))
    return [_judge(row, found.get(row.test_set, _ABSENT), smallest_effect, runs) for row in rows]


def count_controls(arms: pd.DataFrame) -> int:
    """Count the random-label controls that are large enough to be checked, one per test set."""
    controls = arms[arms["arm"] == CONTROL]
    return sum(not _is_too_small(row) for _, row in controls.iterrows())


def state_rule(confidence: float, smallest_effect: float, *, has_own_draws: bool = True) -> str:
    """Word the rule that `give_verdicts` follows.

    has_own_draws: whether every run of an arm has synthetic scans of its own (`judge.draws`).
    """
    seeds = "seeds, each with its own draw of synthetic scans," if has_own_draws else "seeds"
    return (
        f"An arm {NO_DIFFERENCE} that matters when the whole interval of its balanced accuracy minus that of the "
        f"{REFERENCE} arm is within ±{smallest_effect:g}; failing that, it {HELPS} ({HARMS}) when the whole interval "
        f"is above (below) zero; otherwise we {CANNOT_TELL}. The intervals of all arms of one training set and "
        f"network on a test set hold together at {confidence:.0%} (Bonferroni), "
        f"and cover the choice of {seeds} and of test subjects. With fewer than "
        f"{MINIMUM_SEEDS} seeds or {MINIMUM_SUBJECTS} test subjects of a class we always {CANNOT_TELL}. Classifiers "
        f"trained on random labels must be at chance: where 0.5 is outside their {CONTROL_CONFIDENCE:.0%} interval "
        f"(Bonferroni over all such intervals of the run), we say {BROKEN}."
    )


def count_needed(row: Difference, effect: float, power: float = POWER) -> tuple[int, int]:
    """Reckon how many seeds, and test subjects per class, would show a true `effect` with this power.

    Shown: the interval excludes zero, so that effect = (z of the confidence + z of the power) standard errors (the
    normal approximation). Either source of variance may use half of what is allowed, or all that the other one
    leaves; both shrink as 1 / n. Never fewer than there are. Where a cross-validation's corrected variance was the
    larger one, this errs on the safe side: simulated studies of that size showed it 0.88 to 0.97 of the time at 0.8.

    Raises:
        ValueError: the variances are unknown (`Difference`).
    """
    quantiles = stats.norm.ppf((1 + row.confidence) / 2) + stats.norm.ppf(power)
    allowed = (effect / quantiles) ** 2
    for_seeds, for_subjects = (max(allowed / 2, allowed - v) for v in (row.subject_variance, row.seed_variance))
    seeds = max(row.n_seeds, ceil(row.n_seeds * row.seed_variance / for_seeds))
    fewest = min(row.n_controls, row.n_patients)
    return seeds, max(fewest, ceil(fewest * row.subject_variance / for_subjects))


def _check(row: pd.Series, confidence: float) -> str:
    if _is_too_small(row):
        return _UNCHECKED
    sure = Uncertain(row["balanced_accuracy_mean"], row["standard_error"] ** 2, 0.0, row["degrees"])
    low, high = interval(sure, confidence)
    return "" if low <= 0.5 <= high else BROKEN


def _judge(row: Difference, control: str, smallest_effect: float, runs: str) -> Verdict:
    word = BROKEN if control == BROKEN and not _is_too_small(row) else _word(row, smallest_effect)
    because = {
        BROKEN: "; classifiers trained on random labels are not at chance on this test set",
        CANNOT_TELL: _what_is_missing(row, smallest_effect, runs),
    }.get(word, "")
    unchecked = control if control in (_ABSENT, _UNCHECKED) else ""
    sentence = (
        f"{row.arm} on {row.test_set}: {word}; balanced accuracy {row.difference:+z.3f} "
        f"[{row.low:+z.3f}, {row.high:+z.3f}] against {REFERENCE} images alone "
        f"({row.n_seeds} {runs}, {row.n_controls} controls, {row.n_patients} patients){because}{unchecked}."
    )
    return Verdict(row.test_set, row.arm, word, sentence)


def _word(row: Difference, smallest_effect: float) -> str:
    if _is_too_small(row) or not np.isfinite([row.low, row.high]).all():
        return CANNOT_TELL
    if max(-row.low, row.high) <= smallest_effect:
        return NO_DIFFERENCE
    if row.low > 0:
        return HELPS
    return HARMS if row.high < 0 else CANNOT_TELL


def _is_too_small(row: Difference | pd.Series) -> bool:
    return row.n_seeds < MINIMUM_SEEDS or min(row.n_controls, row.n_patients) < MINIMUM_SUBJECTS


def _what_is_missing(row: Difference, smallest_effect: float, runs: str) -> str:
    if np.isnan(row.subject_variance):
        return f"; more training subjects would tell, more {runs} or test subjects hardly"
    seeds, subjects = count_needed(row, smallest_effect)
    seeds, subjects = max(seeds, MINIMUM_SEEDS), max(subjects, MINIMUM_SUBJECTS)
    enough = f"the same {seeds} {runs} and about" if seeds == row.n_seeds else f"about {seeds} {runs} and"
    tested = "test subjects" if runs == "seeds" else "subjects"  # a repeat tests everybody
    return f"; {enough} {subjects} {tested} per class would show effects of {smallest_effect:g} {POWER:.0%} of the time"
