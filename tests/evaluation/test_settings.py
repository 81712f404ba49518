"""Training sets, networks and the cross-validation are judged each by itself."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.cross_validation import compare_cross_validated
from cohortsmith.evaluation.scores import compare_arms, score_runs
from cohortsmith.evaluation.settings import Setting, compare_setting, number_runs, per_setting, settings_of
from cohortsmith.pipelines.judge.interim_nodes import summarise_finished
from cohortsmith.pipelines.judge.verdict_nodes import size_all_effects, summarise_predictions, track_means

N = 24


def one_run(arm: str, seed: int, test_set: str, who: range, right: float) -> pd.DataFrame:
    random = np.random.default_rng([seed, len(arm), len(who)])
    label = np.arange(len(who)) % 2
    called = np.where(random.random(len(who)) < right, label, 1 - label)
    people = {"participant_id": [f"sub-{i:02d}" for i in who], "label": label, "probability": 0.2 + 0.6 * called}
    return pd.DataFrame({"arm": arm, "n_synthetic": 0, "seed": seed, "test_set": test_set, **people})


def held_out(training_set: str, net: str = "baseline", right: float = 0.7) -> pd.DataFrame:
    runs = [one_run(arm, seed, "test", range(N), right) for arm in ("real", "synthetic") for seed in range(4)]
    return pd.concat(runs).assign(training_set=training_set, net=net, fold=np.nan)


def cross_validated(n_folds: int = 3, repeats: int = 4, external: bool = True) -> pd.DataFrame:
    parts = []
    for arm in ("real", "synthetic"):
        for repeat in range(repeats):
            for fold in range(n_folds):
                own = range(fold * N // n_folds, (fold + 1) * N // n_folds)
                parts.append(one_run(arm, repeat, "test", own, 0.7).assign(fold=fold))
                parts += [
                    one_run(arm, 10 * repeat + fold, "external", range(10), 0.7).assign(fold=fold, seed=repeat)
                ] * external
    return pd.concat(parts).assign(training_set="cross-validation", net="baseline")


def test_settings_come_in_their_order_and_a_table_without_any_is_one():
    table = pd.concat([held_out("train-50"), held_out("train-50", "optimised"), held_out("train-full")])

    assert [setting for setting, _ in settings_of(table)] == [
        Setting("train-50", "baseline"),
        Setting("train-50", "optimised"),
        Setting("train-full", "baseline"),
    ]
    assert [setting for setting, _ in settings_of(table.drop(columns=["training_set", "net"]))] == [Setting("", "")]


def test_no_setting_is_averaged_with_another():
    good, bad = held_out("train-full", right=1.0), held_out("train-50", right=0.0)
    scores = per_setting(score_runs, pd.concat([good, bad]))

    assert scores.groupby("training_set")["balanced_accuracy"].unique().map(list).to_dict() == {
        "train-50": [0.0],
        "train-full": [1.0],
    }
    assert scores.columns[:2].tolist() == ["training_set", "net"]


def test_folds_of_a_repeat_are_one_run_on_all_subjects_and_each_fold_is_a_run_on_the_external_ones():
    runs = number_runs(cross_validated(n_folds=3, repeats=4)).groupby("test_set")

    assert runs["seed"].nunique().to_dict() == {"test": 4, "external": 12}
    assert runs["participant_id"].nunique().to_dict() == {"test": N, "external": 10}
    assert runs.size().to_dict() == {"test": 2 * 4 * N, "external": 2 * 12 * 10}


def test_a_subject_tested_in_two_folds_is_refused():
    twice = cross_validated().assign(participant_id="sub-00")

    with pytest.raises(StudyError, match="several folds"):
        number_runs(twice)


def test_a_cross_validation_is_compared_by_its_folds_and_a_single_split_is_not():
    folds = cross_validated(external=False)
    found = compare_setting(folds, 0.95, 200, np.random.default_rng(0))
    expected = compare_cross_validated(folds, 0.95, 200, np.random.default_rng(0))

    pd.testing.assert_frame_equal(found, expected)
    single = held_out("train-full").drop(columns="fold")
    pd.testing.assert_frame_equal(
        compare_setting(held_out("train-full"), 0.95, 200, np.random.default_rng(0)),
        compare_arms(single, 0.95, 200, np.random.default_rng(0)),
    )


def test_folds_are_no_independent_runs_on_an_external_study_either():
    predictions = cross_validated(n_folds=3, repeats=4)
    found = compare_setting(predictions, 0.95, 200, np.random.default_rng(0)).set_index("test_set").loc["external"]
    external = number_runs(predictions).query("test_set == 'external'")
    alone = compare_arms(external, 0.95, 200, np.random.default_rng(0)).iloc[0]

    assert (found["n_seeds"], alone["n_seeds"]) == (4, 12)
    assert found["difference"] == pytest.approx(alone["difference"])
    assert found["high"] - found["low"] >= max(
        alone["high"] - alone["low"], found["corrected_high"] - found["corrected_low"] - 1e-12
    )


def test_with_one_setting_no_sentence_names_it_and_with_several_every_one_does():
    judge = JudgeConfig(bootstrap=100)
    alone = summarise_predictions(held_out("train-full"), judge, 1)[2]["verdicts"]
    both = pd.concat([held_out("train-full"), held_out("train-50")])
    several = summarise_predictions(both, judge, 1)[2]["verdicts"]

    assert [one["sentence"].split(":")[0] for one in alone] == ["synthetic on test"]
    assert [one["sentence"].split(":")[0] for one in several] == [
        "train-full, baseline network",
        "train-50, baseline network",
    ]
    assert [one["training_set"] for one in several] == ["train-full", "train-50"]


def test_the_runs_of_a_cross_validation_are_called_repeats():
    verdicts = summarise_predictions(cross_validated(external=False), JudgeConfig(bootstrap=100), 1)[2]["verdicts"]

    assert "(4 repeats, 12 controls, 12 patients)" in verdicts[0]["sentence"]
    assert "seeds" not in verdicts[0]["sentence"]


def test_every_table_names_training_set_and_net_first_and_the_tracked_means_are_told_apart():
    both = pd.concat([held_out("train-full"), cross_validated()])
    arms, differences, _ = summarise_predictions(both, JudgeConfig(bootstrap=100), 1)
    sizes = size_all_effects(both, differences)

    assert all(list(table.columns[:2]) == ["training_set", "net"] for table in (arms, differences, sizes))
    assert len(sizes) == len(differences) == 3
    metrics = track_means(arms, differences)
    assert "train-full.baseline.test.synthetic_minus_real" in metrics
    assert "cross-validation.baseline.external.real.balanced_accuracy.mean" in metrics
    assert metrics["train-full.baseline.test.real.calibration_error.mean"] == pytest.approx(
        arms["calibration_error_mean"].iloc[0]
    )
    assert "test.synthetic_minus_real" in track_means(arms[arms["training_set"] == "train-full"], differences[:1])


def test_an_unfinished_repeat_is_left_out_of_the_arms_so_far():
    folds = cross_validated(n_folds=3, repeats=2)
    unfinished = folds[(folds["seed"] == 0) | (folds["fold"] == 0)]
    arms = summarise_finished(unfinished, JudgeConfig(bootstrap=100), 1, 3)

    assert arms.groupby("test_set")["n_seeds"].unique().map(list).to_dict() == {"external": [4], "test": [1]}


@pytest.mark.parametrize("finished", [[0], [1], [0, 1]])
def test_a_repeat_is_not_complete_because_its_last_folds_have_not_begun(finished):
    folds = cross_validated(n_folds=3, repeats=1, external=False)
    begun = folds[folds["fold"].isin(finished)]

    assert summarise_finished(begun, JudgeConfig(bootstrap=100), 1, 3).empty
    assert len(summarise_finished(folds, JudgeConfig(bootstrap=100), 1, 3)) == 2
