"""The embedded study survives its delivery: the readers find the cohort that was drawn, and nobody planted is usable."""

from pathlib import Path

import numpy as np
import pytest

from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.study import PhantomConfig, StudyConfig
from cohortsmith.imaging.phantom import draw_cohort
from cohortsmith.imaging.phantom.delivery import embedded
from cohortsmith.imaging.phantom.delivery.files import nifti_file, write_files
from cohortsmith.imaging.phantom.scan import PhantomScan, PhantomTruth
from cohortsmith.imaging.sources.inventory import Inventory
from cohortsmith.imaging.sources.reader import read_source
from cohortsmith.imaging.sources.selection import select

PHANTOM = PhantomConfig(n_subjects=30, n_external=12)
SOURCES = {"training": "adni", "external": "aibl"}
COMPARED = ["diagnosis", "sex", "mmse"]


def scan_in_no_time(*_) -> PhantomScan:
    return PhantomScan(embedded.speck(), PhantomTruth(0.5, 1.0, 2.0, np.eye(4)))


@pytest.fixture(scope="module", params=["training", "external"])
def delivered(request, tmp_path_factory) -> tuple[str, Inventory]:
    """Deliver a study whose scans are specks, and read it."""
    root = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "scan_person", scan_in_no_time)
        deliver(root, PHANTOM, request.param)
    study = StudyConfig(name="a", source=SOURCES[request.param], path=str(root), labels=("CN", "AD"))
    return request.param, select(read_source(study), IngestConfig(), study.labels)


def deliver(root: Path, config: PhantomConfig, role: str) -> None:
    write_files(root, embedded.deliver_tables(config, role))
    for number in embedded.delivered_people(config, role).values():
        write_files(root, embedded.deliver_person(config, role, number).files)


def test_the_readers_find_the_people_of_the_cohort_as_they_were_drawn(delivered):
    role, inventory = delivered
    cohort = draw_cohort(PHANTOM, role)
    visits = {visit.participant_id: visit for visit in inventory.visits}
    found = [visits[key] for key, number in embedded.delivered_people(PHANTOM, role).items() if number < len(cohort)]

    assert [(visit.diagnosis, visit.sex, visit.mmse) for visit in found] == [*cohort[COMPARED].itertuples(False, None)]
    # AIBL gives years of birth: half a year is lost.
    assert [visit.age for visit in found] == pytest.approx(cohort["age"].to_list(), abs=0.5)
    assert [visit.site[-1] for visit in found] == [site[-1] for site in cohort["site"]]


def test_all_who_are_usable_and_nobody_else_have_one_diagnosis_that_lasts(delivered):
    role, inventory = delivered
    diagnoses: dict[str, set[str]] = {}
    for visit in inventory.clinical:
        diagnoses.setdefault(visit.participant_id, set()).add(visit.diagnosis)
    concerned = {visit.participant_id for visit in inventory.clinical if visit.baseline_diagnosis == "SMC"}
    usable = {
        visit.participant_id
        for visit in inventory.visits
        if len(diagnoses[visit.participant_id]) == 1 and visit.participant_id not in concerned
    }

    assert len(usable) == len(draw_cohort(PHANTOM, role))


def test_what_is_planted_is_set_aside_by_many_rules(delivered):
    role, inventory = delivered
    expected = {
        "training": {
            *("adni.failed_quality", "adni.later_series", "adni.no_subject", "adni.not_on_disk", "adni.other_stage"),
            *("adni.other_field_strength", "table.unknown_diagnosis"),
        },
        "external": {"aibl.no_visit", "aibl.not_on_disk"},
    }

    assert {one.rule for one in inventory.rejections} == expected[role]


def test_a_person_is_known_by_the_same_name_before_and_after_the_delivery(delivered):
    role, inventory = delivered

    assert {visit.participant_id for visit in inventory.visits} <= set(embedded.delivered_people(PHANTOM, role))


def test_truth_comes_with_a_scan_and_only_with_one(monkeypatch):
    monkeypatch.setattr(embedded, "scan_person", scan_in_no_time)
    people = embedded.delivered_people(PHANTOM, "training")

    truths = [embedded.deliver_person(PHANTOM, "training", number).truth for number in people.values()]

    assert [truth.get("effect") for truth in truths[: PHANTOM.n_subjects]] == [0.5] * PHANTOM.n_subjects
    assert truths[-1] == {}


def test_no_two_people_share_a_name_however_large_the_study():
    people = embedded.delivered_people(PhantomConfig(n_subjects=2000, n_external=2000), "training")
    others = embedded.delivered_people(PhantomConfig(n_subjects=2000, n_external=2000), "external")

    assert len(people) == 2000 + 6
    assert len(others) == 2000 + 2


@pytest.mark.slow
def test_a_delivered_scan_is_the_phantom_that_was_made_of_that_person():
    config = PhantomConfig(n_subjects=2, n_external=0, voxel_size=8.0)

    delivery = embedded.deliver_person(config, "training", 1)

    scan = embedded.scan_person(config, "training", 1, draw_cohort(config, "training").iloc[1])
    assert delivery.truth["effect"] == scan.truth.effect
    assert nifti_file(scan.volume) in delivery.files.values()
