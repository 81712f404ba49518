"""The words follow the rule, and a broken protocol silences them."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.evaluation.scores import Difference, compare_arms, summarise_arms
from cohortsmith.evaluation.verdict import Verdict, count_controls, count_needed, give_verdicts, state_rule

ROW = Difference("test", "synthetic", 0.0, 0.0, 0.0, 0.95, 0.03, 20.0, 0.0004, 0.0005, 5, 30, 30)
NO_CONTROL = pd.DataFrame(columns=["test_set", "arm"])


def judge(row: Difference, arms: pd.DataFrame = NO_CONTROL) -> Verdict:
    return give_verdicts(arms, pd.DataFrame([row]), 0.05)[0]


def control(mean: float, standard_error: float = 0.03) -> pd.DataFrame:
    row = {"test_set": "test", "arm": "random-labels", "balanced_accuracy_mean": mean}
    counts = {"n_seeds": 5, "n_controls": 30, "n_patients": 30}
    return pd.DataFrame([row | {"standard_error": standard_error, "degrees": 20.0, **counts}])


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.01, 0.11, "helps"),
        (-0.11, -0.01, "harms"),
        (-0.04, 0.05, "makes no difference"),
        (0.01, 0.04, "makes no difference"),
        (-0.04, -0.01, "makes no difference"),
        (0.01, 0.051, "helps"),
        (-0.06, 0.04, "cannot tell"),
        (-0.04, 0.06, "cannot tell"),
        (0.0, 0.2, "cannot tell"),
        (float("nan"), float("nan"), "cannot tell"),
    ],
)
def test_the_word_follows_from_where_the_interval_lies(low: float, high: float, word: str) -> None:
    assert judge(ROW._replace(low=low, high=high)).word == word


@pytest.mark.parametrize("few", [{"n_seeds": 2}, {"n_controls": 9}, {"n_patients": 9}])
def test_too_few_seeds_or_subjects_are_never_judged_however_clear_they_look(few: dict[str, int]) -> None:
    verdict = judge(ROW._replace(low=0.2, high=0.4, **few))
    assert verdict.word == "cannot tell"
    assert "test subjects per class would show effects of 0.05 80% of the time" in verdict.sentence


def test_the_sentence_gives_the_interval_and_the_numbers_behind_it() -> None:
    verdict = judge(ROW._replace(difference=0.06, low=0.01, high=0.11), control(0.5))
    assert verdict.sentence == (
        "synthetic on test: helps; balanced accuracy +0.060 [+0.010, +0.110] against real images alone "
        "(5 seeds, 30 controls, 30 patients)."
    )


def test_the_sentence_says_which_number_may_stay() -> None:
    unsure = ROW._replace(low=-0.1, high=0.1)
    assert "; about 13 seeds and 95 test subjects per class would show" in judge(unsure).sentence
    steady = judge(unsure._replace(seed_variance=0.0)).sentence
    assert "; the same 5 seeds and about 48 test subjects per class would show" in steady


def test_where_nothing_that_is_counted_would_narrow_the_interval_no_number_is_promised() -> None:
    unknown = judge(ROW._replace(low=-0.1, high=0.1, seed_variance=np.nan, subject_variance=np.nan))
    assert "; more training subjects would tell, more seeds or test subjects hardly" in unknown.sentence
    assert "would show" not in unknown.sentence


def test_a_difference_that_rounds_to_nothing_has_no_minus() -> None:
    assert "accuracy +0.000 [-0.100, +0.100]" in judge(ROW._replace(difference=-0.0001, low=-0.1, high=0.1)).sentence


def test_what_would_be_needed_is_reckoned_from_both_variances() -> None:
    # (0.05 / (1.960 + 0.842))^2 / 2 = 1.593e-4 for each source: 5 * 4e-4 / 1.593e-4 = 12.6, 30 * 5e-4 / 1.593e-4 = 94.2
    assert count_needed(ROW, 0.05) == (13, 95)
    # a coin's toss of showing it: (0.05 / 1.96)^2 / 2 = 3.254e-4, 6.1 seeds and 46.1 subjects
    assert count_needed(ROW, 0.05, power=0.5) == (7, 47)


def test_one_source_may_use_what_the_other_leaves() -> None:
    # (0.05 / (1.960 + 0.842))^2 = 3.185e-4 for both: 30 * 9e-4 / 3.185e-4 = 84.8; 5 * 4e-4 / (3.185e-4 - 1e-4) = 9.2
    assert count_needed(ROW._replace(seed_variance=0.0, subject_variance=9e-4), 0.05) == (5, 85)
    assert count_needed(ROW._replace(subject_variance=1e-4), 0.05) == (10, 30)


@pytest.mark.statistical
def test_a_study_of_the_size_that_was_reckoned_shows_the_effect_about_as_often_as_promised() -> None:
    random = np.random.default_rng(0)
    seeds, subjects = count_needed(ROW, 0.05)
    variances = ROW.seed_variance * ROW.n_seeds / seeds, ROW.subject_variance * ROW.n_controls / subjects
    shown = random.normal(0.05, np.sqrt(sum(variances)), 4000) > 1.96 * np.sqrt(sum(variances))
    assert shown.mean() == pytest.approx(0.8, abs=0.03)


def test_what_would_be_needed_is_never_less_than_what_there_is() -> None:
    assert count_needed(ROW._replace(seed_variance=0.0, subject_variance=0.0), 0.05) == (5, 30)


@pytest.mark.parametrize("mean", [0.62, 0.38])
def test_random_labels_away_from_chance_break_the_protocol(mean: float) -> None:
    verdict = judge(ROW._replace(low=0.1, high=0.2), control(mean))
    assert verdict.word == "protocol broken"
    assert "random labels are not at chance" in verdict.sentence


def test_random_labels_near_chance_let_the_arms_be_judged() -> None:
    assert judge(ROW._replace(low=0.1, high=0.2), control(0.55)).word == "helps"


@pytest.mark.parametrize("few", [{"n_seeds": 2}, {"n_controls": 9}, {"n_patients": 9}])
def test_a_control_too_small_to_be_checked_breaks_nothing_and_is_said_to_be_unchecked(few: dict[str, int]) -> None:
    arms = control(0.9).assign(**few)
    verdict = judge(ROW._replace(low=0.1, high=0.2), arms)
    assert verdict.word == "helps"
    assert "random-label control is too small to be checked" in verdict.sentence
    assert count_controls(arms) == 0


def test_an_arm_too_small_to_be_judged_is_not_said_to_be_broken() -> None:
    assert judge(ROW._replace(low=0.1, high=0.2, n_seeds=2), control(0.9)).word == "cannot tell"


def test_all_controls_of_a_run_are_checked_together() -> None:
    # t(20) at 0.99 is 2.85, at 1 - 0.01 / 4 3.46: 0.095 / 0.03 = 3.17 is outside the one and inside the other
    row = pd.DataFrame([ROW._replace(low=0.1, high=0.2)])
    alone, sets = control(0.595), ["test", "external", "third", "fourth"]
    several = pd.concat([alone.assign(test_set=name) for name in sets])
    words = [
        give_verdicts(arms, row, 0.05, n_controls=n)[0].word for arms, n in ((alone, None), (alone, 4), (several, None))
    ]
    assert words == ["protocol broken", "helps", "helps"]
    assert (count_controls(several), count_controls(NO_CONTROL)) == (4, 0)


def test_a_study_without_the_control_says_so() -> None:
    assert "no random-label control was run" in judge(ROW).sentence
    assert "no random-label control" not in judge(ROW, control(0.5)).sentence


def test_a_broken_test_set_leaves_the_other_one_be() -> None:
    rows = [ROW._replace(low=0.1, high=0.2, test_set=name) for name in ("test", "external")]
    arms = pd.concat([control(0.7), control(0.5).assign(test_set="external")])
    assert [v.word for v in give_verdicts(arms, pd.DataFrame(rows), 0.05)] == ["protocol broken", "helps"]


def test_from_predictions_to_words_every_planted_outcome_is_told(predict_arm) -> None:
    random = np.random.default_rng(5)
    planted = {"real": 0.7, "real+synthetic": 0.9, "synthetic": 0.5, "real+classic": 0.7, "random-labels": 0.5}
    table = pd.concat([predict_arm(arm, accuracy, random) for arm, accuracy in planted.items()])
    verdicts = give_verdicts(summarise_arms(table, 0.95, 500, random), compare_arms(table, 0.95, 500, random), 0.02)
    words = {verdict.arm: verdict.word for verdict in verdicts}
    assert words == {"real+synthetic": "helps", "synthetic": "harms", "real+classic": "cannot tell"}


def test_the_table_survives_being_written_and_read_again(tmp_path) -> None:
    rows = pd.DataFrame([ROW._replace(low=0.01, high=0.1)])
    rows.to_csv(tmp_path / "differences.tsv", sep="\t", index=False)
    again = pd.read_csv(tmp_path / "differences.tsv", sep="\t")
    assert give_verdicts(NO_CONTROL, again, 0.05) == give_verdicts(NO_CONTROL, rows, 0.05)


@pytest.mark.statistical
def test_arms_that_are_all_equal_are_seldom_said_to_differ(predict_arm) -> None:
    words = []
    for k in range(60):
        random = np.random.default_rng(k)
        table = pd.concat(
            [predict_arm(arm, 0.7, random, n_subjects=40) for arm in ("real", "synthetic", "real+synthetic")]
        )
        differences = compare_arms(table, 0.95, 200, random)
        words.append({verdict.word for verdict in give_verdicts(NO_CONTROL, differences, 0.05)})
    # 5 % of 60 studies is 3; more than 7 would happen once in a hundred times
    assert sum(bool(said & {"helps", "harms"}) for said in words) <= 7


def test_the_rule_names_its_numbers() -> None:
    rule = state_rule(0.95, 0.05)
    assert "±0.05" in rule
    assert "95%" in rule
    assert "Bonferroni" in rule
    assert "99% interval (Bonferroni over all such intervals of the run)" in rule


@pytest.mark.parametrize(("runs", "tested"), [("seeds", " test subjects per"), ("repeats", "48 subjects per")])
def test_a_cross_validation_tests_every_subject(runs: str, tested: str) -> None:
    unsure = ROW._replace(low=-0.1, high=0.1, seed_variance=0.0)
    verdict = give_verdicts(NO_CONTROL, pd.DataFrame([unsure]), 0.05, runs)[0]

    assert tested in verdict.sentence


def test_the_rule_says_whether_the_draw_of_synthetic_scans_is_covered() -> None:
    assert "seeds, each with its own draw of synthetic scans, and of test subjects" in state_rule(0.95, 0.05)
    assert "the choice of seeds and of test subjects" in state_rule(0.95, 0.05, has_own_draws=False)


def test_the_rule_says_within_what_the_intervals_hold_together() -> None:
    told = "The intervals of all arms of one training set and network on a test set hold together at 95% (Bonferroni)"
    assert told in state_rule(0.95, 0.05)
