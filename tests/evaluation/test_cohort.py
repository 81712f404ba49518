"""The demographic table, with numbers worked out by hand."""

import pandas as pd

from cohortsmith.evaluation.cohort import format_cohort, summarise_cohort

COHORT = pd.DataFrame(
    {
        "participant_id": ["a", "a", "b", "c", "d"],
        "session_id": ["ses-M00", "ses-M12", "ses-M00", "ses-M00", "ses-M00"],
        "diagnosis": ["CN", "CN", "CN", "AD", "CN"],
        "split": ["train", "train", "train", "train", "test"],
        "age": [70.0, 71.0, 74.0, 80.0, 60.0],
        "sex": ["F", "F", "M", "M", None],
        "mmse": [30, 20, 28, "n/a", "n/a"],
        "cdr": [0, 0, 0, 0.5, "n/a"],
        "site": ["one", "one", "two", "n/a", "n/a"],
    }
)


def row(split: str, diagnosis: str, table: pd.DataFrame) -> pd.Series:
    return table[(table["split"] == split) & (table["diagnosis"] == diagnosis)].iloc[0]


def test_subjects_are_counted_once_at_their_first_session() -> None:
    train = row("train", "CN", summarise_cohort(COHORT))
    assert (train["subjects"], train["male"], train["female"]) == (2, 1, 1)
    assert (train["age_mean"], train["mmse_mean"]) == (72.0, 29.0)
    assert round(train["age_sd"], 4) == 2.8284


def test_the_whole_study_comes_first() -> None:
    table = summarise_cohort(pd.concat([COHORT, COHORT.assign(split="external")]))
    assert table["split"].tolist() == ["all", "all", "train", "train", "test", "external", "external"]
    assert row("all", "CN", table)["subjects"] == 3


def test_a_study_that_is_all_training_is_told_once() -> None:
    assert summarise_cohort(COHORT.assign(split="train"))["split"].tolist() == ["train", "train"]


def test_the_table_reads_as_in_a_paper() -> None:
    worded = format_cohort(summarise_cohort(COHORT))
    assert row("train", "CN", worded).tolist() == [
        "train", "CN", 2, "72.0 ± 2.8 [70.0, 74.0]", "1/1", "29.0 ± 1.4 [28, 30]", "0: 2", "1.5 [1, 2]", 2
    ]  # fmt: skip
    assert row("train", "AD", worded).tolist() == ["train", "AD", 1, "80.0", "1/0", "n/a", "0.5: 1", "1", "n/a"]


def test_clinical_scores_are_counted_in_order() -> None:
    many = pd.DataFrame({"participant_id": list("abcd"), "session_id": "ses-1", "diagnosis": "AD", "split": "train"})
    assert format_cohort(summarise_cohort(many.assign(cdr=[1, 0.5, 1, None])))["CDR"].tolist() == ["0.5: 1, 1: 2"]


def test_a_study_without_scores_is_summarised_all_the_same() -> None:
    bare = COHORT.drop(columns=["mmse", "age", "sex", "cdr", "site"])
    assert row("train", "CN", format_cohort(summarise_cohort(bare))).tolist() == [
        "train", "CN", 2, "n/a", "0/0", "n/a", "n/a", "1.5 [1, 2]", "n/a"
    ]  # fmt: skip


def test_subjects_of_two_studies_with_the_same_id_are_both_counted() -> None:
    table = summarise_cohort(pd.concat([COHORT, COHORT.assign(split="external")]))
    assert table.loc[table["split"] != "all", "subjects"].sum() == 8
