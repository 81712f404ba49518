"""The methods paragraph: every kind of model, sampler and classifier has its words, and every citation its reference."""

import re
from typing import get_args

import pytest

from cohortsmith.config import classifier, generator
from cohortsmith.config.run import RunConfig
from cohortsmith.reporting.methods import describe_methods
from cohortsmith.reporting.wording import listed
from cohortsmith.reporting.works import WORKS, works_cited

STUDY = {"name": "own", "source": "bids", "labels": ["CN", "AD"]}
CITATION = re.compile(r"[A-Z][\w-]+ (?:et al\.|and [A-Z][\w-]+ )?\s?(?:19|20)\d\d")


def told(**blocks: object) -> str:
    return describe_methods(RunConfig.model_validate({"study": STUDY} | blocks))


def cited(text: str) -> set[str]:
    return set(CITATION.findall(text))


@pytest.mark.parametrize("kind", get_args(generator.Kind))
def test_every_kind_of_generator_is_cited_and_the_citation_is_known(kind):
    text = told(generator={"kind": kind}, sampler={"kind": "prior"})

    assert cited(text) <= set(WORKS)
    assert len(cited(text)) >= 8


@pytest.mark.parametrize("kind", get_args(classifier.Kind))
def test_every_kind_of_classifier_has_words_and_known_citations(kind):
    text = told(classifier={"kind": kind})

    assert cited(text) <= set(WORKS)
    assert "tested on real images" in text


@pytest.mark.parametrize(
    ("kind", "author"),
    [
        ("random_forest", "Breiman"),
        ("k_nearest_neighbours", "Cover"),
        ("support_vector_machine", "Cortes"),
        ("sklearn_mlp", "Rumelhart"),
    ],
)
def test_scikit_learn_and_its_method_are_both_cited_and_no_optimiser_steps_are_claimed(kind, author):
    text = told(classifier={"kind": kind})

    assert {work.split()[0] for work in works_cited(text)} >= {author, "Pedregosa"}
    assert "steps of Adam" not in text
    assert "validation images" not in text


@pytest.mark.parametrize("kind", get_args(generator.SamplerConfig.model_fields["kind"].annotation))
def test_every_sampler_has_words_and_known_citations(kind):
    assert cited(told(sampler={"kind": kind})) <= set(WORKS)


def test_every_work_can_be_cited_by_its_own_name():
    assert [works_cited(f"As shown before ({name}).") for name in WORKS] == [[work] for work in WORKS.values()]


def test_the_template_is_the_one_of_the_configuration():
    own = {"path": "template.nii", "space": "Elderly60"}

    assert "MNI152NLin2009aSym template (Fonov et al. 2011)" in told()
    assert "MNI152NLin2009cSym template (Fonov et al. 2011)" in told(preparation={"template": {"path": "t.nii"}})
    assert "Elderly60 template by mutual information" in told(preparation={"template": own})
    assert "Fonov" not in told(preparation={"template": own})


def test_folds_and_random_search_are_told_only_where_there_are_any():
    plain = told()
    searched = told(judge={"nets": ["baseline", "optimised"]}, split={"folds": 5, "repeats": 2})

    assert "folds" not in plain
    assert "Bergstra" not in plain
    assert "dealt into 5 folds, balanced in diagnosis, for cross-validation, 2 times" in searched
    assert "Bergstra and Bengio 2012" in searched


def test_several_numbers_of_synthetic_scans_are_listed():
    assert "at most 100, 500 and 1000 synthetic scans" in told(judge={"n_synthetic": [500, 1000, 100]})


def test_defacing_is_told_where_it_was_done():
    assert "defaced" not in told()
    assert "defaced by planes in template space" in told(preparation={"deface": True})


def test_only_the_stages_that_ran_are_described():
    text = told(study={**STUDY, "stages": ["ingest", "prepare"]})

    assert "N4" in text
    assert "autoencoder" not in text


def test_the_versions_end_the_paragraph():
    config = RunConfig.model_validate({"study": STUDY})

    assert describe_methods(config, {"torch": "2.13", "kedro": "1.7"}).endswith("Software: torch 2.13, kedro 1.7.")


@pytest.mark.parametrize(("items", "words"), [([], ""), ([1], "1"), ([1, 2], "1 and 2"), ("abc", "a, b and c")])
def test_lists_read_as_people_write_them(items, words):
    assert listed(list(items)) == words


def test_runs_and_steps_are_counted_as_they_were_made():
    search = {"random_search": {"optimizer_steps": 2500}, "classifier": {"optimizer_steps": 5000}}

    assert "5 seeds per arm" in told() and "folds" not in told()
    assert "10 seeds and in 3 repeats of 4 folds per arm" in told(
        judge={"n_seeds": 10}, split={"folds": 4, "repeats": 3}
    )
    assert "5000 (optimised: 2500) steps of Adam" in told(**search, judge={"nets": ["baseline", "optimised"]})
    assert "5000 steps of Adam" in told(**search)
