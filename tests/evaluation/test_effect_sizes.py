"""Effect sizes worked out by hand; p-values that agree with the intervals."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.evaluation.effect_sizes import better_seeds, better_subjects, cohen_dz, size_effects
from cohortsmith.evaluation.multiplicity import holm
from cohortsmith.evaluation.scores import compare_arms

# two seeds; subject means: controls 1, 0, 0, -1 ... patients 1, 1, 0, 0
CALLS = (np.array([[1.0, 0, 0, -1], [1, 0, 0, -1]]), np.array([[1.0, 1, 1, -1], [1, 1, -1, 1]]))


def test_dz_is_the_mean_over_the_spread_of_subjects() -> None:
    # means 0 and 0.5; variances 2 / 3 and 1 / 3, averaged to 0.5
    assert cohen_dz(CALLS) == pytest.approx(0.25 / np.sqrt(0.5))


def test_arms_that_agree_everywhere_have_no_effect_and_constant_gain_an_endless_one() -> None:
    assert cohen_dz((np.zeros((3, 5)), np.zeros((3, 4)))) == 0
    for sign in (1, -1):
        assert cohen_dz((sign * np.ones((3, 5)), sign * np.ones((3, 4)))) == sign * np.inf


def test_better_subjects_counts_ties_half_and_weighs_both_classes_alike() -> None:
    # controls: one better, one worse, two ties: 0.5; patients: two better, two ties: 0.75
    assert better_subjects(CALLS) == pytest.approx(0.625)


def test_better_seeds_is_the_share_of_pairs_won() -> None:
    # 0.7 beats one and ties one of (0.6, 0.7): 1.5 of 2; 0.5 none
    assert better_seeds(np.array([0.7, 0.5]), np.array([0.6, 0.7])) == pytest.approx(1.5 / 4)


def test_swapping_the_arms_mirrors_every_effect() -> None:
    one, other = np.random.default_rng(0).random((2, 7))
    assert better_seeds(one, other) == pytest.approx(1 - better_seeds(other, one))
    mirrored = (-CALLS[0], -CALLS[1])
    assert cohen_dz(mirrored) == pytest.approx(-cohen_dz(CALLS))
    assert better_subjects(mirrored) == pytest.approx(1 - better_subjects(CALLS))


def test_p_values_agree_with_the_intervals_that_they_stand_beside(predict_arm) -> None:
    random = np.random.default_rng(3)
    accuracy = {"real": 0.7, "synthetic": 0.75, "real+classic": 0.78, "real+synthetic": 0.9, "random-labels": 0.5}
    table = pd.concat([predict_arm(arm, share, random) for arm, share in accuracy.items()])
    differences = compare_arms(table, 0.95, 500, random)
    effects = size_effects(table, differences)
    outside = (differences["low"] > 0) | (differences["high"] < 0)
    assert effects["arm"].tolist() == differences["arm"].tolist() == ["synthetic", "real+classic", "real+synthetic"]
    assert ((effects["p_bonferroni"] < 0.05) == outside).all()
    assert outside.any() and not outside.all()
    np.testing.assert_allclose(effects["p_holm"], holm(effects["p_value"]))
    assert (effects["p_value"] <= effects["p_holm"]).all() and (effects["p_holm"] <= effects["p_bonferroni"]).all()
    assert effects.set_index("arm").loc["real+synthetic", "better_seeds"] == 1
    assert effects.set_index("arm").loc["real+synthetic", "better_subjects"] > 0.6


def test_a_study_with_the_real_arm_alone_has_no_effects(predict_arm) -> None:
    random = np.random.default_rng(0)
    table = predict_arm("real", 0.7, random)
    effects = size_effects(table, compare_arms(table, 0.95, 100, random))
    assert len(effects) == 0
    assert "p_holm" in effects
