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

STUDY = {"name": "own", "source": "bids", "labels": ["CN", "AD"]}
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
    config = RunConfig.model_validate({"study": STUDY})

    assert "bids" in rows_of(replace(complete, config=config), "CLAIM")["7"][2]


def test_a_control_with_random_labels_is_claimed_only_where_there_is_one(complete):
    without = RunConfig.model_validate({"study": STUDY, "judge": {"arms": ["real", "real+synthetic"]}})

    assert "random labels" in what_is_known(complete)["robustness"].text
    assert what_is_known(replace(complete, config=without))["robustness"].text == "5 seeds per arm"


def weights_of(complete, **blocks: object) -> str:
    config = RunConfig.model_validate({"study": STUDY, **blocks})
    return rows_of(replace(complete, config=config), "TRIPOD")["22"][2]


def test_the_weights_of_what_predicts_are_said_to_be_kept_as_far_as_they_are(complete):
    start = "weights of the networks of {} are kept in the study's folder"

    assert weights_of(complete).startswith(start.format("the arm real alone"))
    assert weights_of(complete, judge={"keep_weights": "all"}).startswith(start.format("every arm"))
    assert "makes none public; settings" in weights_of(complete)
    assert rows_of(replace(complete, judgement=None), "TRIPOD")["22"][2] == NOT_REPORTED


def test_the_weights_of_what_scikit_learn_fitted_are_not_claimed_to_be_kept(complete):
    forest, both = {"kind": "random_forest"}, {"nets": ["baseline", "optimised"], "optimised": {"kind": "mlp"}}

    told = weights_of(complete, classifier=forest)

    assert told.startswith("not given: the weights of the classifiers, which predict, are not kept")
    assert "networks of the arm real alone" in weights_of(complete, classifier=forest, judge=both)
    assert "what scikit-learn fitted is not kept" in weights_of(complete, classifier=forest, judge=both)
    assert "scikit-learn" not in weights_of(complete)


def test_models_to_be_shared_are_those_that_were_made_and_code_is_always(complete):
    made = "models: the generators and the networks of the arm real alone, in the study's folder"
    stages = ["ingest", "prepare", "learn", "augment"]

    assert made in told_of(complete, "43")
    assert "models: the generators, in the study's folder" in told_of(complete, "43", study={"stages": stages})
    assert "models: the generators, in" in told_of(complete, "43", classifier={"kind": "random_forest"})
    assert "models" not in told_of(complete, "43", study={"stages": stages[:3]})
    assert told_of(complete, "43", study={"stages": stages[:3]}).startswith("code: cohortsmith")
    assert "models" not in rows_of(complete, "TRIPOD")["18f"][2]


@pytest.mark.parametrize("number", ["1", "9b", "20c", "27a"])
def test_questions_about_the_use_and_the_measuring_of_predictors_are_left_to_the_authors(complete, number):
    assert rows_of(complete, "TRIPOD")[number][2] == NOT_REPORTED


def told_of(complete, number: str, **blocks: object) -> str:
    config = RunConfig.model_validate({"study": {**STUDY, **blocks.pop("study", {})}, **blocks})
    return rows_of(replace(complete, config=config), "CLAIM")[number][2]


def test_the_settings_of_classifiers_are_not_looked_for_in_the_generators_cards(complete):
    assert "settings of generators in the model cards, of classifiers in the configuration" in told_of(complete, "22")
    assert "searched for" not in told_of(complete, "22")
    assert "searched for with the verdict" in told_of(complete, "22", judge={"nets": ["baseline", "optimised"]})


def test_both_seeds_are_named_that_of_generators_and_those_of_classifiers(complete):
    told = told_of(complete, "24", seed=7, judge={"first_seed": 3, "n_seeds": 4})

    assert "training image, from seed 7; classifiers: at random by the same law, from seeds 3 to 6" in told
    assert "from seeds 3 to 7" in told_of(
        complete, "24", judge={"first_seed": 3, "n_seeds": 4}, split={"folds": 2, "repeats": 5}
    )
    assert "classifiers" not in told_of(complete, "24", study={"stages": ["ingest", "prepare", "learn", "augment"]})


def test_each_kind_of_network_has_its_own_learning_rate_batch_and_steps(complete):
    both = ["baseline", "optimised"]
    own = {"kind": "custom", "learning_rate": 0.01, "batch_size": 8, "optimizer_steps": 60}
    given = {"kind": "optimized", "learning_rate": 0.003, "batch_size": 4, "optimizer_steps": 70}
    baseline = "baseline classifiers: Adam, learning rate 0.01, weight decay 0, batches of 8, 60 steps in every arm"

    searched = told_of(complete, "25", classifier=own, judge={"nets": both}, random_search={"optimizer_steps": 50})
    fixed = told_of(complete, "25", classifier=own, judge={"nets": both, "optimised": given})

    assert f"{baseline}; optimised classifiers: Adam, learning rate and weight decay as the search drew" in searched
    assert "batches of 16, 50 steps" in searched
    assert fixed.endswith(
        f"{baseline}; optimised classifiers: Adam, learning rate 0.003, weight decay 0, batches of 4, "
        "70 steps in every arm"
    )
    assert "classifiers" not in told_of(complete, "25", classifier={"kind": "random_forest"})


def test_test_subjects_are_counted_where_the_external_study_stands_first(complete):
    arms = complete.judgement.arms.sort_values("test_set")
    arms = arms.assign(n_controls=[99 if name == "external" else 20 for name in arms["test_set"]])

    known = what_is_known(replace(complete, judgement=replace(complete.judgement, arms=arms)))

    assert "(20 controls, 20 patients)" in known["internal_test"].text


def test_a_margin_is_no_probability(complete):
    told = {
        kind: RunConfig.model_validate({"study": STUDY, "classifier": {"kind": kind}})
        for kind in ("mlp", "support_vector_machine")
    }

    output = {kind: what_is_known(replace(complete, config=config))["output"].text for kind, config in told.items()}

    assert output["mlp"].startswith("the probability")
    assert "distance from the margin" in output["support_vector_machine"]


def test_an_external_study_is_not_said_to_be_tested_where_nothing_was(complete):
    study = {"external_path": "/elsewhere", "external_source": "aibl"}

    assert told_of(complete, "7", study=study).endswith("tested also on aibl")
    assert "tested" not in told_of(complete, "7", study={**study, "stages": ["ingest", "prepare"]})


def test_diagnoses_between_visits_that_agree_are_said_to_be_filled(complete):
    assert "filled where the nearest known ones before and after agree" in what_is_known(complete)["missing"].text
