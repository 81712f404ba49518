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
    }
)


def test_subjects_are_counted_once_at_their_first_session() -> None:
    row = summarise_cohort(COHORT).iloc[0]
    assert (row["subjects"], row["male"], row["female"]) == (2, 1, 1)
    assert (row["age_mean"], row["mmse_mean"]) == (72.0, 29.0)
    assert round(row["age_sd"], 4) == 2.8284


def test_the_table_reads_as_in_a_paper() -> None:
    worded = format_cohort(summarise_cohort(COHORT))
    assert worded.iloc[0].tolist() == ["train", "CN", 2, "72.0 ± 2.8", "1/1", "29.0 ± 1.4"]
    assert worded.iloc[1].tolist() == ["train", "AD", 1, "80.0", "1/0", "n/a"]


def test_a_study_without_mmse_is_summarised_all_the_same() -> None:
    worded = format_cohort(summarise_cohort(COHORT.drop(columns=["mmse", "age", "sex"])))
    assert worded.iloc[0].tolist() == ["train", "CN", 2, "n/a", "0/0", "n/a"]


def test_subjects_of_two_studies_with_the_same_id_are_both_counted() -> None:
    both = pd.concat([COHORT, COHORT.assign(split="external")])
    assert summarise_cohort(both)["subjects"].sum() == 8
