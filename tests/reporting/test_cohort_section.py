"""The report says how the cohort came about and how alike its sets are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohortsmith.reporting.blocks import Paragraph, Table
from cohortsmith.reporting.report import render_report
from cohortsmith.reporting.sections.cohort import cohort_section

FLOW = pd.DataFrame(
    [
        ("converted", None, 120, 100, "training"),
        ("prepared", "cohort.not_prepared", 2, 2, "training"),
        ("prepared", None, 118, 99, "training"),
        ("used", None, 118, 99, "training"),
        ("converted", None, 30, 30, "external"),
    ],
    columns=["stage", "rule", "scans", "subjects", "role"],
)
QUALITY = pd.DataFrame(
    [
        ("CN", "test with the rest", 100, 303, 0.98, 0.91, np.nan, 0.8, True, "one site"),
        ("AD", "test with the rest", 100, 262, 0.44, 0.91, np.nan, 0.8, False, "one site"),
    ],
    columns=["diagnosis", "compared", "subjects", "others", "p_age", "p_sex", "p_site", "target_p", "reached", "site"],
)


@pytest.fixture
def blocks(study):
    return cohort_section(replace(study, cohort_flow=FLOW, split_quality=QUALITY)).blocks


def test_the_flow_counts_what_was_left_out_between_the_stages(blocks):
    own, external = (block for block in blocks if isinstance(block, Table) and block.caption.startswith("From"))
    assert own.rows == [
        ["scans converted", "120", "100"],
        ["– left out: the scan could not be prepared or was dropped for its quality", "– 2", "(2)"],
        ["prepared", "118", "99"],
        ["used", "118", "99"],
    ]
    assert "the external study" in external.caption


def test_a_missed_target_is_a_warning_that_names_the_comparison(blocks):
    warned = [block.text for block in blocks if isinstance(block, Paragraph) and block.tone == "warning"]
    assert warned == ["Below the wanted p of 0.8: AD, test with the rest."]


def test_a_reached_target_is_said_in_plain_words(study):
    section = cohort_section(replace(study, split_quality=QUALITY.head(1)))
    assert "p of 0.8 or more" in " ".join(block.text for block in section.blocks if isinstance(block, Paragraph))


def test_unknown_p_values_are_dashes_on_the_page(study):
    page = render_report(replace(study, cohort_flow=FLOW, split_quality=QUALITY))
    assert "How alike the sets are" in page
    assert ">nan" not in page


def test_a_run_without_them_says_nothing_of_them(nothing):
    assert [type(block) for block in cohort_section(nothing).blocks] == [Paragraph, Paragraph]
