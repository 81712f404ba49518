"""Scores worked out by hand, and comparisons with a planted outcome."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.errors import StudyError
from cohortsmith.evaluation.scores import average_scans, compare_arms, pair_arms, score_runs, summarise_arms

BY_HAND = pd.DataFrame(
    {
        "arm": "real",
        "seed": 0,
        "test_set": "test",
        "participant_id": list("abcdefg"),
        "label": [1, 1, 1, 1, 0, 0, 0],
        "probability": [0.9, 0.7, 0.5, 0.2, 0.1, 0.6, 0.3],
    }
)


def test_scores_are_those_worked_out_by_hand() -> None:
    # patients called: 3 of 4 (0.5 counts as a call); controls left alone: 2 of 3; pairs in order: 4 + ... = 9 of 12
    row = score_runs(BY_HAND).iloc[0]
    assert row["sensitivity"] == 3 / 4
    assert row["specificity"] == pytest.approx(2 / 3)
    assert row["balanced_accuracy"] == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert row["auc"] == pytest.approx(9 / 12)
    # true and false positives 3 and 1, true and false negatives 2 and 1
    assert (row["ppv"], row["npv"]) == pytest.approx((3 / 4, 2 / 3))
    assert row["f1"] == pytest.approx(3 / 4)
    assert row["mcc"] == pytest.approx((3 * 2 - 1 * 1) / np.sqrt(4 * 4 * 3 * 3))
    assert row["brier"] == pytest.approx((0.01 + 0.09 + 0.25 + 0.64 + 0.01 + 0.36 + 0.09) / 7)


def test_the_calibration_error_is_that_of_ten_bins_of_equal_width() -> None:
    row = score_runs(BY_HAND.assign(probability=[0.95, 0.95, 0.95, 0.95, 0.05, 0.05, 0.65])).iloc[0]
    assert row["calibration_error"] == pytest.approx((4 * 0.05 + 2 * 0.05 + 0.65) / 7)


@pytest.mark.parametrize(("probability", "undefined"), [(0.1, ["ppv", "f1", "mcc"]), (0.9, ["npv", "mcc"])])
def test_nothing_over_nothing_counts_as_zero(probability: float, undefined: list[str]) -> None:
    row = score_runs(BY_HAND.assign(probability=probability)).iloc[0]
    assert (row[undefined] == 0).all()
    assert (row["balanced_accuracy"], row["auc"]) == (0.5, 0.5)


def test_scans_of_one_subject_count_as_one() -> None:
    twice = pd.concat([BY_HAND, BY_HAND[BY_HAND["participant_id"] == "d"].assign(probability=0.9)])
    averaged = average_scans(twice).set_index("participant_id")["probability"]
    assert averaged["d"] == pytest.approx(0.55)
    assert score_runs(twice).iloc[0]["sensitivity"] == 1


def test_the_summary_is_the_mean_and_spread_over_seeds() -> None:
    flipped = BY_HAND.assign(seed=1, probability=1 - BY_HAND["label"])
    row = summarise_arms(pd.concat([BY_HAND, flipped]), 0.95, 200, np.random.default_rng(0)).iloc[0]
    assert (row["n_seeds"], row["n_controls"], row["n_patients"]) == (2, 3, 4)
    assert row["sensitivity_mean"] == pytest.approx(3 / 8)
    assert row["sensitivity_sd"] == pytest.approx(0.75 / np.sqrt(2))
    assert row["low"] < row["balanced_accuracy_mean"] < row["high"]


def test_the_difference_equals_the_difference_of_the_means(predict_arm) -> None:
    random = np.random.default_rng(0)
    both = pd.concat([predict_arm("real", 0.6, random), predict_arm("synthetic", 0.8, random)])
    means = score_runs(both).groupby("arm")["balanced_accuracy"].mean()
    row = compare_arms(both, 0.95, 200, random).iloc[0]
    assert row["difference"] == pytest.approx(means["synthetic"] - means["real"])


def test_a_planted_winner_is_found_and_its_equal_is_not(predict_arm) -> None:
    random = np.random.default_rng(1)
    arms = {"real": 0.65, "real+synthetic": 0.85, "real+classic": 0.65}
    table = pd.concat([predict_arm(arm, accuracy, random) for arm, accuracy in arms.items()])
    rows = compare_arms(table, 0.95, 500, random).set_index("arm")
    assert rows.loc["real+synthetic", "low"] > 0
    assert rows.loc["real+classic", "low"] < 0 < rows.loc["real+classic", "high"]


def test_pairing_by_subject_makes_an_equal_arm_far_surer_than_two_separate_arms(predict_arm) -> None:
    real = predict_arm("real", 0.7, np.random.default_rng(2))
    both = pd.concat([real, real.assign(arm="synthetic")])
    random = np.random.default_rng(0)
    alone = summarise_arms(real, 0.95, 500, random).iloc[0]["standard_error"]
    assert compare_arms(both, 0.95, 500, random).iloc[0]["standard_error"] < alone


def test_pairs_say_where_one_arm_alone_is_right() -> None:
    other = BY_HAND.assign(arm="synthetic", probability=[0.9, 0.1, 0.5, 0.9, 0.1, 0.1, 0.9])
    controls, patients = pair_arms(pd.concat([BY_HAND, other, BY_HAND.assign(arm="random-labels")]))[
        "test", "synthetic"
    ]
    assert patients.loc[0].to_dict() == {"a": 0, "b": -1, "c": 0, "d": 1}
    assert controls.loc[0].to_dict() == {"e": 0, "f": 1, "g": -1}


def test_more_arms_mean_wider_intervals_so_that_all_hold_together(predict_arm) -> None:
    random = np.random.default_rng(0)
    table = pd.concat([predict_arm(arm, 0.7, random) for arm in ("real", "synthetic", "real+classic", "random-labels")])
    few = table[table["arm"] != "real+classic"]
    wide, narrow = (compare_arms(part, 0.9, 100, np.random.default_rng(0)).iloc[0] for part in (table, few))
    assert (wide["confidence"], narrow["confidence"]) == pytest.approx((0.95, 0.9))
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_only_seeds_that_both_arms_have_are_paired(predict_arm) -> None:
    random = np.random.default_rng(0)
    table = pd.concat([predict_arm("real", 0.6, random, n_seeds=3), predict_arm("synthetic", 0.6, random, n_seeds=5)])
    assert compare_arms(table, 0.95, 100, random).iloc[0]["n_seeds"] == 3


def test_test_sets_are_judged_apart(predict_arm) -> None:
    random = np.random.default_rng(0)
    table = pd.concat(
        [
            predict_arm("real", 0.5, random),
            predict_arm("synthetic", 0.9, random),
            predict_arm("real", 0.9, random, test_set="external", n_subjects=30),
            predict_arm("synthetic", 0.5, random, test_set="external", n_subjects=30),
        ]
    )
    rows = compare_arms(table, 0.95, 100, random).set_index("test_set")
    assert rows.loc["test", "low"] > 0 > rows.loc["external", "high"]
    assert rows.loc["external", "n_patients"] == 15


def test_a_test_set_without_patients_is_refused() -> None:
    with pytest.raises(StudyError, match="cannot be judged"):
        score_runs(BY_HAND[BY_HAND["label"] == 0])


def test_a_missing_prediction_is_refused(predict_arm) -> None:
    table = predict_arm("real", 0.7, np.random.default_rng(0)).iloc[1:]
    with pytest.raises(StudyError, match="1 missing"):
        summarise_arms(table, 0.95, 100, np.random.default_rng(0))
