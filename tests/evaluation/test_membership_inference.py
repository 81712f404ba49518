"""Who was in training is told where it can be told, and the words promise no more than a screen."""

import numpy as np
import pytest

from cohortsmith.evaluation.membership_inference import N_ATTACKS, RealPoints, attack_membership, compare_nearest


def real(points: list[float] | np.ndarray, prefix: str, subjects: list[int] | None = None) -> RealPoints:
    points = np.asarray(points, dtype=float)
    names = range(len(points)) if subjects is None else subjects
    return RealPoints(points.reshape(len(points), -1), np.array([f"sub-{prefix}{name}" for name in names]))


def test_the_area_is_that_of_distances_to_the_nearest_synthetic_point_by_hand() -> None:
    # distances: training 0.1, 0.5, 2; held-out 0.4, 1; closer in 2 + 1 + 0 of 6 pairs
    attack = attack_membership(np.array([[0.0], [10.0]]), real([0.1, 9.5, 2], "t"), real([0.4, 11], "h"))
    assert attack.auc == pytest.approx(3 / 6)
    assert (attack.n_training, attack.n_held_out) == (3, 2)


def test_sessions_of_one_subject_count_as_one_subject() -> None:
    attack = attack_membership(np.array([[0.0]]), real([1, 2, 3], "t", [0, 0, 1]), real([4, 5], "h"))
    assert attack.n_training == 2


def test_the_nearest_are_compared_by_hand_and_named() -> None:
    synthetic = np.array([[0.0], [1.0], [5.0], [9.0]])
    found = compare_nearest(synthetic, real([0.2, 5.1, 8.8], "t"), real([1.5], "h"), np.random.default_rng(0), 99)
    assert found.table["nearest_training"].tolist() == ["sub-t0", "sub-t0", "sub-t1", "sub-t2"]
    assert found.table["distance_held_out"].tolist() == pytest.approx([1.5, 0.5, 3.5, 7.5])
    assert found.table["ratio"][0] == pytest.approx(0.2 / 1.5)
    assert (found.closer_share, found.expected_share) == (0.75, 0.75)


@pytest.mark.statistical
def test_the_test_of_closer_images_keeps_its_level() -> None:
    random = np.random.default_rng(0)
    p_values = [
        compare_nearest(
            random.normal(size=(30, 3)),
            real(random.normal(size=(20, 3)), "t"),
            real(random.normal(size=(10, 3)), "h"),
            random,
            99,
        ).p_value
        for _ in range(200)
    ]
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.05)


def test_subjects_with_many_sessions_do_not_make_the_test_sure() -> None:
    # nine sessions of one training subject attract everything; 2 of 4 subjects are training ones
    training = real(np.r_[np.zeros(9), 50.0], "t", [0] * 9 + [1])
    found = compare_nearest(np.zeros((40, 1)) + 0.1, training, real([20, 30], "h"), np.random.default_rng(0))
    assert found.closer_share == 1
    assert found.expected_share == 0.5
    assert found.p_value == pytest.approx(0.5, abs=0.06)


@pytest.mark.statistical
def test_six_attacks_on_a_generator_that_knows_nobody_seldom_succeed() -> None:
    random = np.random.default_rng(0)

    def succeeds() -> bool:
        sides = real(random.normal(size=(20, 3)), "t"), real(random.normal(size=(12, 3)), "h")
        made = random.normal(size=(30, 3))
        attack = attack_membership(made, *sides)
        return attack.succeeds or compare_nearest(made, *sides, random, 199).p_value < 1 - attack.confidence

    warned = [any(succeeds() for _ in range(N_ATTACKS // 2)) for _ in range(120)]
    # at most 5 % of 120 are 6; more than 11 would happen about once in fifty times
    assert sum(warned) <= 11


def test_the_words_promise_a_screen_and_no_more() -> None:
    synthetic, far = np.zeros((3, 1)), real(np.full(20, 5.0) + np.arange(20), "h")
    found = attack_membership(synthetic, real(np.linspace(0, 1, 20), "t"), far, "codes")
    assert found.succeeds
    assert "better than chance (0.5)" in found.sentence() and "codes" in found.sentence()
    assert "no proof of anonymity" in found.sentence()
    nothing = attack_membership(synthetic, far, far)
    assert not nothing.succeeds
    assert "not shown to be better than chance" in nothing.sentence()
    shares = compare_nearest(synthetic, real([0.5], "t"), far, np.random.default_rng(0))
    assert "no proof of anonymity" in shares.sentence()
