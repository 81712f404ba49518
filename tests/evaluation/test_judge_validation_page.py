"""The page on the judge counts a useless generator's wins in units whose size is stated."""

import pandas as pd
from benchmarks.judge_validation.page import _false_help, false_help

from cohortsmith.evaluation.verdict import BROKEN, CANNOT_TELL, HELPS


def verdicts() -> pd.DataFrame:
    """Two cohorts of two sizes, two useless generators and a useful one, two arms each, on one test set."""
    rows = [
        {"cohort": cohort, "size": size, "generator": generator, "dose": 100, "arm": arm, "test_set": "test-30"}
        for cohort in (0, 1)
        for size in (12, 25)
        for generator in ("useful", "noise", "copies")
        for arm in ("synthetic", "real+synthetic", "real+classic")
    ]
    return pd.DataFrame(rows).assign(word=CANNOT_TELL)


def said(table: pd.DataFrame, word: str, **where) -> pd.DataFrame:
    chosen = (table[list(where)] == pd.Series(where)).all(axis=1)
    return table.assign(word=table["word"].mask(chosen, word))


def test_both_arms_of_one_generator_are_one_false_comparison_study_and_cohort():
    wrong = said(verdicts(), HELPS, cohort=1, size=25, generator="noise")

    row = false_help(wrong).iloc[0]

    assert row["verdicts"] == "2 of 16"
    assert row["comparisons"] == "1 of 8"
    # Clopper and Pearson, one-sided: 1 - 0.05^(1/n) for none of n; for 1 of 4 and 1 of 2 the root of the binomial tail
    assert row["studies"] == "1 of 4 (at most 75.1%)"
    assert row["cohorts"] == "1 of 2 (at most 97.5%)"


def test_none_wrong_is_bounded_by_the_number_of_units_and_all_wrong_is_no_error():
    none, all_wrong = (false_help(table).iloc[0] for table in (verdicts(), verdicts().assign(word=HELPS)))

    # 1 - 0.05^(1/4) = 0.527, 1 - 0.05^(1/2) = 0.776
    assert (none["studies"], none["cohorts"]) == ("0 of 4 (at most 52.7%)", "0 of 2 (at most 77.6%)")
    assert all_wrong["cohorts"] == "2 of 2 (at most 100.0%)"


def test_a_useful_generator_and_controls_without_synthetic_images_may_help():
    helped = said(said(verdicts(), HELPS, generator="useful"), HELPS, arm="real+classic")

    assert false_help(helped).iloc[0]["verdicts"] == "0 of 16"


def test_broken_protocols_are_counted_by_study():
    broken = said(verdicts(), BROKEN, cohort=0, size=12)

    told = " ".join(_false_help(broken).split())

    assert "broken in 1 of 4 studies" in told
    assert "only cohorts are independent" in told
