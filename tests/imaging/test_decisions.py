"""A person's word goes before the rule's; what cannot be understood is an error that repeats nothing of the table."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.errors import StudyError
from cohortsmith.imaging.decisions import Decision, decide, quality_table, read_decisions

KEYS = ["sub-1_ses-M000", "sub-1_ses-M012", "sub-2_ses-M000", "sub-3_ses-01"]


def table(*rows: tuple[str, ...], columns: tuple[str, ...] = ("participant_id", "session_id", "decision", "reason")):
    return pd.DataFrame(rows, columns=list(columns), dtype=str)


def test_no_table_and_an_empty_one_decide_nothing() -> None:
    assert read_decisions(None, KEYS).of_scans == {}
    assert read_decisions(table(), KEYS).of_scans == {}


def test_a_line_with_a_session_is_about_one_scan_and_one_without_about_all() -> None:
    found = read_decisions(table(("sub-1", "ses-M012", "drop", "motion"), ("2", "", "keep", "fine")), KEYS).of_scans
    assert found == {
        "sub-1_ses-M012": Decision("drop", "motion", "person"),
        "sub-2_ses-M000": Decision("keep", "fine", "person"),
    }
    assert set(read_decisions(table(("1", "n/a", "Drop ", "")), KEYS).of_scans) == set(KEYS[:2])


@pytest.mark.parametrize("turn", [slice(None), slice(None, None, -1)])
def test_the_line_with_a_session_goes_before_the_one_without_in_any_order(turn: slice) -> None:
    rows = (("sub-1", "", "drop", "all bad"), ("sub-1", "ses-M000", "keep", "but this"))
    found = read_decisions(table(*rows[turn]), KEYS).of_scans
    assert {key: one.decision for key, one in found.items()} == {KEYS[0]: "keep", KEYS[1]: "drop"}


def test_the_session_column_may_be_missing() -> None:
    found = read_decisions(table(("sub-3", "drop"), columns=("participant_id", "decision")), KEYS).of_scans
    assert found == {"sub-3_ses-01": Decision("drop", "no reason given", "person")}


def test_a_line_about_nobody_is_a_warning_that_names_nobody() -> None:
    found = read_decisions(table(("Jane Doe", "", "drop", "")), KEYS)
    assert found.of_scans == {} and "line 2" in found.warnings[0] and "Jane" not in found.warnings[0]


def test_another_word_is_an_error_with_its_line() -> None:
    with pytest.raises(StudyError, match="line 3"):
        read_decisions(table(("sub-1", "", "drop", ""), ("sub-2", "", "perhaps", "")), KEYS)


def test_lines_that_contradict_each_other_are_an_error() -> None:
    with pytest.raises(StudyError, match="contradict"):
        read_decisions(table(("sub-1", "", "drop", ""), ("sub-1", "", "keep", "")), KEYS)


@pytest.mark.parametrize("columns", [("participant", "decision"), ("participant_id", "decision", "birth_date")])
def test_other_columns_are_an_error_that_names_them(columns: tuple[str, ...]) -> None:
    with pytest.raises(StudyError, match="participant_id") as caught:
        read_decisions(table(tuple("x" for _ in columns), columns=columns), KEYS)
    assert caught.value.exit_code == 2


@pytest.fixture
def cohort(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    return {
        f"sub-{i:02d}_ses-01": {"template_correlation": 0.8 + 0.01 * z, "shear": 0.05}
        for i, z in enumerate(rng.normal(size=12))
    }


def test_ordinary_scans_are_kept(cohort) -> None:
    assert {one.decision for one in decide(cohort, 0.5, {}).values()} == {"keep"}


def test_an_outlier_is_to_be_looked_at_and_what_is_no_head_dropped(cohort) -> None:
    cohort["sub-03_ses-01"]["shear"] = 0.3
    cohort["sub-04_ses-01"]["template_correlation"] = 0.31
    made = decide(cohort, 0.5, {})
    assert made["sub-03_ses-01"].decision == "look" and "shear 0.3" in made["sub-03_ses-01"].reason
    assert made["sub-04_ses-01"].decision == "drop"
    assert "0.31" in made["sub-04_ses-01"].reason and "0.5" in made["sub-04_ses-01"].reason


def test_a_person_overrules_the_rule_both_ways(cohort) -> None:
    cohort["sub-04_ses-01"]["template_correlation"] = 0.31
    persons = {
        "sub-04_ses-01": Decision("keep", "a large tumour", "person"),
        "sub-05_ses-01": Decision("drop", "motion", "person"),
        "sub-99_ses-01": Decision("drop", "not in this cohort", "person"),
    }
    made = decide(cohort, 0.5, persons)
    assert made["sub-04_ses-01"] == persons["sub-04_ses-01"] and made["sub-05_ses-01"] == persons["sub-05_ses-01"]
    assert set(made) == set(cohort)


def test_slices_without_numbers_are_kept() -> None:
    assert decide({"sub-1_ses-1": {}}, 0.5, {})["sub-1_ses-1"].decision == "keep"


def test_the_table_has_one_row_per_scan_the_doubtful_ones_first(cohort) -> None:
    cohort["sub-07_ses-01"]["shear"] = 0.3
    others = {"sub-98_ses-01": Decision("drop", "never prepared", "person")}
    found = quality_table(cohort, decide(cohort, 0.5, {}), others)
    assert found["key"].tolist()[:2] == ["sub-98_ses-01", "sub-07_ses-01"] and len(found) == 13
    assert found.loc[0, "decided_by"] == "person" and np.isnan(found.loc[0, "shear"])
    assert list(found.columns[:6]) == ["key", "participant_id", "session_id", "decision", "decided_by", "reason"]


def test_an_empty_cohort_has_an_empty_table_with_its_columns() -> None:
    assert list(quality_table({}, {}, {}).columns)[:4] == ["key", "participant_id", "session_id", "decision"]
