"""Folds are pooled to runs; the textbook's corrected t-test says the same on folds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cohortsmith.errors import StudyError
from cohortsmith.evaluation.cross_validation import (
    compare_cross_validated,
    corrected_resampled,
    pool_folds,
    widen_by_folds,
)
from cohortsmith.evaluation.intervals import interval
from cohortsmith.evaluation.scores import Difference, compare_arms
from cohortsmith.evaluation.verdict import count_needed, give_verdicts


def fold_of(table: pd.DataFrame, n_folds: int) -> pd.DataFrame:
    """Deal subjects out in pairs of a control and a patient, a different way in each repeat."""
    pair = table["participant_id"].str.removeprefix("sub-").astype(int) // 2
    return table.assign(fold=(pair + 3 * table["seed"] * (pair % 7)) % n_folds)


def test_the_corrected_variance_is_the_one_worked_out_by_hand() -> None:
    # s^2 = 0.02 / 3; (1 / 4 + 1) s^2 in 2 folds; t(3) = 3.18245
    sure = corrected_resampled(np.array([0.0, 0.1, 0.2, 0.1]), 2)
    assert (sure.value, sure.degrees) == (pytest.approx(0.1), 3)
    assert interval(sure, 0.95)[1] == pytest.approx(0.1 + 3.18245 * np.sqrt(1.25 * 0.02 / 3), rel=1e-5)


def test_pooled_folds_are_judged_like_one_test_set(predict_arm) -> None:
    random = np.random.default_rng(0)
    table = pd.concat([predict_arm("real", 0.6, random), predict_arm("synthetic", 0.8, random)])
    row = compare_cross_validated(fold_of(table, 5), 0.95, 200, np.random.default_rng(1)).iloc[0]
    plain = compare_arms(table, 0.95, 200, np.random.default_rng(1)).iloc[0]
    assert (row["pooled_low"], row["pooled_high"]) == (plain["low"], plain["high"])
    assert row["difference"] == plain["difference"]
    assert row["corrected_low"] > 0


def test_the_wider_interval_is_the_one_that_is_judged(predict_arm) -> None:
    random = np.random.default_rng(4)
    table = pd.concat([predict_arm("real", 0.6, random), predict_arm("synthetic", 0.75, random)])
    row = compare_cross_validated(fold_of(table, 5), 0.95, 200, random).iloc[0]
    widths = [row[f"{name}high"] - row[f"{name}low"] for name in ("", "pooled_", "corrected_")]
    assert widths[0] == pytest.approx(max(widths))
    assert row["low"] <= row["difference"] <= row["high"]
    few = compare_cross_validated(fold_of(table[table["seed"] < 2], 20), 0.95, 200, random).iloc[0]
    assert few["corrected_high"] - few["corrected_low"] > few["pooled_high"] - few["pooled_low"]
    assert few["standard_error"] == pytest.approx((few["high"] - few["low"]) / 2 / stats.t.ppf(0.975, 39))
    assert (few["seed_variance"], few["subject_variance"]) == (0, pytest.approx(few["standard_error"] ** 2))


def test_what_narrows_a_corrected_interval_on_subjects_of_another_study_is_not_known(predict_arm) -> None:
    random = np.random.default_rng(0)
    runs = pd.concat([predict_arm(arm, 0.7, random, n_seeds=10) for arm in ("real", "synthetic")])
    every_fold = runs.assign(fold=runs["seed"] % 5, seed=runs["seed"] // 5)
    row = widen_by_folds(compare_arms(runs, 0.95, 200, random), every_fold).iloc[0]
    assert row["corrected_high"] == row["high"] > row["pooled_high"]
    assert np.isnan(row["seed_variance"]) and np.isnan(row["subject_variance"])
    controls = pd.DataFrame(columns=["test_set", "arm"])
    assert "more training subjects would tell" in give_verdicts(controls, pd.DataFrame([row]), 0.05)[0].sentence


def test_the_rows_can_be_judged_in_words(predict_arm) -> None:
    random = np.random.default_rng(0)
    table = fold_of(pd.concat([predict_arm("real", 0.6, random), predict_arm("synthetic", 0.9, random)]), 5)
    rows = compare_cross_validated(table, 0.95, 200, random)
    controls = pd.DataFrame(columns=["test_set", "arm"])
    assert [verdict.word for verdict in give_verdicts(controls, rows, 0.05)] == ["helps"]


def test_a_fold_without_patients_is_refused(predict_arm) -> None:
    table = predict_arm("real", 0.6, np.random.default_rng(0))
    with pytest.raises(StudyError, match="cannot be judged"):
        compare_cross_validated(table.assign(fold=table["label"]), 0.95, 100, np.random.default_rng(0))


def test_a_subject_in_two_folds_of_a_repeat_is_refused(predict_arm) -> None:
    table = fold_of(predict_arm("real", 0.6, np.random.default_rng(0)), 5)
    twice = pd.concat([table, table.iloc[:1].assign(fold=9)])
    with pytest.raises(StudyError, match="1 subjects tested in several folds"):
        pool_folds(twice)


def cross_validate_means(random: np.random.Generator, n: int, n_repeats: int, n_folds: int) -> pd.DataFrame:
    """Cross-validate nearest class means in a new cohort; the second arm drops features whose means differ little."""
    labels = np.arange(n) % 2
    features = random.normal(size=(n, 12)) + np.outer(labels - 0.5, np.r_[np.full(4, 0.9), np.zeros(8)])
    called = np.zeros((2, n_repeats, n))
    folds = np.zeros((n_repeats, n), dtype=int)
    for repeat, fold in enumerate(folds):
        fold[np.concatenate([random.permutation(np.flatnonzero(labels == one)) for one in (0, 1)])] = (
            np.arange(n) % n_folds
        )
        for k in range(n_folds):
            means = [features[(fold != k) & (labels == one)].mean(axis=0) for one in (0, 1)]
            axis, centred = means[1] - means[0], features[fold == k] - (means[1] + means[0]) / 2
            for arm, least in enumerate((0.0, 0.8)):
                called[arm, repeat, fold == k] = centred @ np.where(np.abs(axis) > least, axis, 0) > 0
    arm, repeat, subject = (grid.ravel() for grid in np.indices(called.shape))
    columns = {"seed": repeat, "fold": folds[repeat, subject], "label": labels[subject], "probability": called.ravel()}
    names = {
        "arm": np.array(["real", "synthetic"])[arm],
        "participant_id": np.array([f"sub-{i}" for i in range(n)])[subject],
    }
    return pd.DataFrame({"test_set": "test", **names, **columns})


@pytest.mark.statistical
@pytest.mark.slow
def test_over_new_cohorts_the_judged_interval_covers_the_truth_where_the_pooled_one_does_not() -> None:
    random = np.random.default_rng(7)
    rows = pd.concat(
        [compare_cross_validated(cross_validate_means(random, 150, 2, 5), 0.95, 200, random) for _ in range(150)]
    )
    truth = rows["difference"].mean()
    judged, pooled = (
        ((rows[f"{name}low"] <= truth) & (truth <= rows[f"{name}high"])).mean() for name in ("", "pooled_")
    )
    assert judged > 0.95 - 2 * np.sqrt(0.95 * 0.05 / len(rows))
    assert pooled < judged


@pytest.mark.statistical
@pytest.mark.slow
def test_a_cross_validation_of_the_size_that_was_reckoned_shows_the_effect_at_least_as_often_as_promised(
    predict_arm,
) -> None:
    random = np.random.default_rng(0)

    def compare(per_class: int) -> Difference:
        arms = {"real": 0.7, "synthetic": 0.75}
        parts = [predict_arm(arm, right, random, n_seeds=10, n_subjects=2 * per_class) for arm, right in arms.items()]
        row = compare_cross_validated(fold_of(pd.concat(parts), 5), 0.95, 200, random).iloc[0]
        return Difference(*row[list(Difference._fields)])

    needed = [count_needed(compare(68), 0.05) for _ in range(9)]
    assert {repeats for repeats, _ in needed} == {10}
    shown = [compare(int(np.median([subjects for _, subjects in needed]))).low > 0 for _ in range(30)]
    # were it 0.8, fewer than 20 of 30 would happen once in forty times
    assert sum(shown) >= 20
