"""One number alone, by the same partitions as the images."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.folds import assign_folds
from cohortsmith.evaluation.partitions import partition_scans
from cohortsmith.evaluation.reference_lines import predict_from_columns
from cohortsmith.pipelines.judge.reference_nodes import draw_reference_lines, track_reference_lines

STUDY = StudyConfig(name="tiny", source="bids", labels=("CN", "AD"))
SPLIT = SplitConfig(folds=3, repeats=2, match=())
N = 60


def splits(**columns) -> pd.DataFrame:
    names = [f"sub-{row:02d}" for row in range(N)]
    table = pd.DataFrame({"participant_id": names, "key": names, "diagnosis": ["CN", "AD"] * (N // 2)})
    sides = (["train"] * 6 + ["validation"] * 2 + ["test"] * 2) * (N // 10)
    return table.assign(split=sides, training_set=np.where(table.index % 10 < 6, "train-full", None), **columns)


def lines(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    partitions = partition_scans(table, SPLIT, ["train-full"], assign_folds(table, SPLIT))
    judge = JudgeConfig(reference_columns=columns, bootstrap=100)
    return draw_reference_lines(STUDY, judge, table, partitions, 1)


def test_a_column_that_tells_all_reaches_one_and_noise_stays_at_chance():
    noise = np.random.default_rng(0).random(N)
    found = lines(splits(volume=np.tile([5.0, 1.0], N // 2), noise=noise), "volume", "noise")
    means = found.set_index(["training_set", "column"])["balanced_accuracy_mean"]

    assert means["train-full", "volume"] == means["cross-validation", "volume"] == 1
    assert 0.3 < means["cross-validation", "noise"] < 0.7
    assert found.columns[:4].tolist() == ["training_set", "net", "test_set", "column"]
    assert found.set_index(["training_set", "column"])["n_seeds"]["cross-validation", "volume"] == SPLIT.repeats


def test_classes_weigh_the_same_however_rare_the_patients_are():
    table = splits(score=1.0)
    rare = table[(table["diagnosis"] == "CN") | (table.index % 3 == 0)].reset_index(drop=True)
    table = partition_scans(rare, SPLIT, ["train-full"])
    found = predict_from_columns(rare, table, ["score"], STUDY.labels)

    assert found["probability"].to_numpy() == pytest.approx(0.5)


def test_scans_without_the_number_are_left_out_and_a_column_of_one_class_draws_no_line():
    some = np.where(np.arange(N) % 7 == 0, np.nan, np.tile([5.0, 1.0], N // 2))
    one_class = np.where(np.arange(N) % 2 == 0, 1.0, np.nan)
    found = lines(splits(some=some, one_class=one_class), "some", "one_class")

    assert set(found["column"]) == {"some"}
    dealt = found.set_index("training_set").loc["cross-validation"]
    assert dealt["n_controls"] + dealt["n_patients"] == np.isfinite(some).sum()


def test_without_columns_the_table_is_empty_and_with_them_the_parent_run_gets_each_line():
    table = splits(volume=np.tile([5.0, 1.0], N // 2))

    assert lines(table).empty
    assert track_reference_lines(lines(table)) == {}
    metrics = track_reference_lines(lines(table, "volume"))
    assert metrics["reference.cross-validation.test.volume.balanced_accuracy"] == pytest.approx(1)


def knowing(*known: int) -> pd.DataFrame:
    """Give the study with a number that all patients have, and of the controls only these."""
    table = splits(score=np.tile([29.0, 22.0], N // 2))
    return table.assign(score=table["score"].where((table["diagnosis"] == "AD") | table.index.isin(known)))


def dealt(table: pd.DataFrame, fold_of: dict[int, int]) -> pd.DataFrame:
    """Tabulate one repeat of three folds; fold_of: the fold of some rows, all others in turn."""
    folds = [fold_of.get(row, row // 2 % 3) for row in table.index]
    shares = pd.DataFrame({"participant_id": table["participant_id"], "repeat": 0, "fold": folds})
    return partition_scans(table, SPLIT, [], shares)


def test_a_fold_that_tests_one_class_alone_is_pooled_with_the_others_of_its_repeat():
    table = knowing(*range(0, 20, 2))
    partitions = dealt(table, {row: row // 2 % 2 for row in range(0, 20, 2)})
    found = predict_from_columns(table, partitions, ["score"], STUDY.labels)

    assert set(found["participant_id"]) == set(table.loc[table["score"].notna(), "participant_id"])
    assert found.loc[found["fold"] == 2, "label"].unique().tolist() == [1]
    judge = JudgeConfig(reference_columns=("score",), bootstrap=100)
    (line,) = draw_reference_lines(STUDY, judge, table, partitions, 1).to_dict("records")
    assert (line["n_controls"], line["n_patients"], line["n_seeds"]) == (10, 30, 1)


def test_a_repeat_with_a_fold_that_has_nobody_of_a_class_to_learn_from_is_left_out():
    table = knowing(0, 2)
    partitions = dealt(table, {0: 0, 2: 0})
    judge = JudgeConfig(reference_columns=("score",), bootstrap=100)

    assert draw_reference_lines(STUDY, judge, table, partitions, 1).empty


def test_a_sparse_column_never_stops_the_study():
    random = np.random.default_rng(5)
    for n_known in (3, 5, 8, 12):
        table = knowing(*random.choice(np.arange(0, N, 2), n_known, replace=False))
        others = table[:9].assign(split="external", training_set=None)
        both = pd.concat([table, others], ignore_index=True)
        partitions = partition_scans(both, SPLIT, ["train-full"], assign_folds(table, SPLIT))
        judge = JudgeConfig(reference_columns=("score",), bootstrap=100)
        found = draw_reference_lines(STUDY, judge, both, partitions, 1)
        assert set(found["column"]) <= {"score"}
