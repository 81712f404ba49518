"""The checklists: every question is there once, and a run never answers what it cannot know."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from cohortsmith.config.run import RunConfig
from cohortsmith.reporting.blocks import Details, Section, Table
from cohortsmith.reporting.checklists.claim import CLAIM
from cohortsmith.reporting.checklists.known import what_is_known
from cohortsmith.reporting.checklists.tripod_ai import TRIPOD_AI
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.outline import report_sections
from cohortsmith.reporting.sections.checklists import NOT_REPORTED, checklists_section

BEYOND_A_RUN = (
    "ethic",
    "consent",
    "funding",
    "conflict",
    "registration",
    "protocol",
    "blinding",
    "patients and the public",
)


def rows_of(content: ReportContent, name: str) -> dict[str, list[str]]:
    section = checklists_section(content, ())
    lists = [block for block in section.blocks if isinstance(block, Details)]
    table = next(one.blocks[0] for one in lists if one.summary.startswith(name))
    assert isinstance(table, Table)
    return {row[0]: list(row) for row in table.rows}


@pytest.fixture(scope="module")
def complete(study) -> ReportContent:
    groups = pd.DataFrame({"arm": ["real+synthetic"], "too_few": [True]})
    flow = pd.DataFrame(
        {"stage": ["converted"], "rule": [None], "scans": [9], "subjects": [9], "role": ["training"]}, dtype=object
    )
    quality = pd.DataFrame({"diagnosis": ["CN"], "compared": ["test"], "target_p": [0.8], "reached": [True]})
    return replace(study, judgement=replace(study.judgement, subgroups=groups), cohort_flow=flow, split_quality=quality)


def test_claim_has_44_questions_numbered_through():
    assert [item.number for item in CLAIM.items] == [str(number) for number in range(1, 45)]


def test_tripod_has_27_questions_in_52_parts():
    numbers = [item.number for item in TRIPOD_AI.items]

    assert len(numbers) == len(set(numbers)) == 52
    assert {re.sub(r"\D", "", number) for number in numbers} == {str(number) for number in range(1, 28)}


@pytest.mark.parametrize("checklist", [CLAIM, TRIPOD_AI])
@pytest.mark.parametrize("word", BEYOND_A_RUN)
def test_what_no_run_can_know_has_no_key_to_be_filled_from(checklist, word):
    assert [item for item in checklist.items if word in item.asks and item.known_as] == []


def test_every_key_that_is_asked_for_is_known_to_a_complete_run_and_none_is_left_over(complete):
    asked = {item.known_as for item in (*CLAIM.items, *TRIPOD_AI.items) if item.known_as}

    assert set(what_is_known(complete)) == asked


def test_every_answer_leads_to_a_section_that_is_there(complete):
    anchors = {section.anchor for section in report_sections(complete)}

    assert {answer.anchor for answer in what_is_known(complete).values()} <= anchors


def test_an_answer_names_the_section_that_says_more(complete):
    others = [Section("verdict", "Do they help?", [])]

    section = checklists_section(complete, others)

    named = {row[3] for row in section.blocks[1].blocks[0].rows}
    assert named == {"", "Do they help?"}


def test_a_run_that_judged_nothing_reports_no_performance(complete):
    rows = rows_of(replace(complete, judgement=None), "CLAIM")

    assert rows["37"][2] == NOT_REPORTED
    assert rows["33"][2] == NOT_REPORTED
    assert rows["23"][2] != NOT_REPORTED


def test_ethics_funding_and_registration_are_left_to_the_authors(complete):
    claim, tripod = rows_of(complete, "CLAIM"), rows_of(complete, "TRIPOD")

    assert {claim[number][2] for number in ("34", "42", "44")} == {NOT_REPORTED}
    assert {tripod[number][2] for number in ("17", "18a", "18b", "18c", "18d", "19")} == {NOT_REPORTED}


def test_the_summary_counts_what_is_answered(complete):
    section = checklists_section(complete, ())
    answered = sum(row[2] != NOT_REPORTED for row in rows_of(complete, "CLAIM").values())

    assert f"{answered} of 44" in section.blocks[1].summary


def test_an_external_study_that_was_not_tested_is_not_claimed(complete):
    own = complete.judgement.arms[complete.judgement.arms["test_set"] == "test"]

    known = what_is_known(replace(complete, judgement=replace(complete.judgement, arms=own)))

    assert "external_test" not in known
    assert "internal_test" in known


def test_without_the_configuration_nothing_is_filled_in(study):
    section = checklists_section(replace(study, config=None), ())

    assert [block.tone for block in section.blocks] == ["absent"]


def test_a_study_of_ones_own_names_its_source(complete):
    config = RunConfig.model_validate({"study": {"name": "own", "source": "bids", "labels": ["CN", "AD"]}})

    assert "bids" in rows_of(replace(complete, config=config), "CLAIM")["7"][2]


def test_a_control_with_random_labels_is_claimed_only_where_there_is_one(complete):
    study = {"name": "own", "source": "bids", "labels": ["CN", "AD"]}
    without = RunConfig.model_validate({"study": study, "judge": {"arms": ["real", "real+synthetic"]}})

    assert "random labels" in what_is_known(complete)["robustness"].text
    assert what_is_known(replace(complete, config=without))["robustness"].text == "5 seeds per arm"


def test_diagnoses_between_visits_that_agree_are_said_to_be_filled(complete):
    assert "filled where the nearest known ones before and after agree" in what_is_known(complete)["missing"].text
