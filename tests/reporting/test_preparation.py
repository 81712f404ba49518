"""The worst scans come first, what is unknown is the worst, and a decision is one line to be copied."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.reporting.content import Preparation, PreparedScan, ReportContent, RunFacts
from cohortsmith.reporting.report import render_quality_page, render_report
from cohortsmith.reporting.sections.preparation import worst_first


def scan(key: str, correlation: float, flag: str = "", decision: str = "keep") -> PreparedScan:
    return PreparedScan(key, {"template_correlation": correlation}, [np.zeros((2, 3))], flag, decision)


def page(*scans: PreparedScan) -> str:
    facts = RunFacts("mystudy", "kedro run", 1, {"cohortsmith": "0"})
    return render_quality_page(ReportContent(facts, preparation=Preparation(scans)))


def test_flagged_scans_come_first_then_the_lowest_number():
    ordered = worst_first(Preparation([scan("a", 0.9), scan("b", 0.2), scan("c", 0.95, "stands out")]))

    assert [one.key for one in ordered] == ["c", "b", "a"]


def test_a_scan_without_the_number_is_looked_at_before_all_others():
    unknown = PreparedScan("unknown", {}, [np.zeros((2, 3))])

    assert worst_first(Preparation([scan("a", -1.0), unknown]))[0].key == "unknown"


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_no_scan_is_lost_and_the_numbers_rise(values):
    ordered = worst_first(Preparation([scan(f"sub-{index}", value) for index, value in enumerate(values)]))

    assert [one.quality["template_correlation"] for one in ordered] == sorted(values)


def test_dropped_scans_come_before_those_to_look_at():
    ordered = worst_first(
        Preparation([scan("a", 0.9), scan("b", 0.8, "stands out", "look"), scan("c", 0.95, "no head", "drop")])
    )

    assert [one.key for one in ordered] == ["c", "b", "a"]


def test_every_scan_has_the_line_that_records_the_other_decision():
    html = page(scan("sub-1_ses-M000", 0.9), scan("sub-2_ses-M012", 0.2, "no head", "drop"))

    assert "sub-1\tses-M000\tdrop\treason" in html
    assert "sub-2\tses-M012\tkeep\treason" in html
    assert "participant_id\tsession_id\tdecision\treason" in html
    assert "data/03_primary/mystudy/training/decisions.tsv" in html


def test_a_persons_decision_is_told_with_its_reason():
    kept = replace(scan("sub-1_ses-1", 0.2), note="keep was decided by a person: a large tumour")

    assert "keep was decided by a person: a large tumour" in page(kept)


def test_the_report_itself_shows_no_lines_to_copy(study):
    assert 'class="line"' not in render_report(study) and 'class="line"' in render_quality_page(study)


def test_the_introduction_counts_the_decisions():
    html = page(scan("a", 0.9), scan("b", 0.8, "x", "look"), scan("c", 0.1, "y", "drop"), scan("d", 0.1, "y", "drop"))

    assert "2 dropped and 1 to look at, kept until a person drops them, shown first" in html
