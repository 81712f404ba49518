"""What the archives deliver beside clean scans is decided as the rules say, and every delivered thing is accounted for."""

from pathlib import Path

import numpy as np
import pytest

from cohortsmith.config.study import StudyConfig
from cohortsmith.imaging.phantom.delivery import adni, adni_traps, aibl, aibl_traps, oasis1
from cohortsmith.imaging.phantom.delivery.adni_traps import ADNI_TRAPS
from cohortsmith.imaging.phantom.delivery.aibl_traps import AIBL_TRAPS
from cohortsmith.imaging.phantom.delivery.dicom_traps import DICOM_TRAPS, study_files
from cohortsmith.imaging.phantom.delivery.files import write_files
from cohortsmith.imaging.phantom.delivery.oasis1_traps import OASIS1_TRAPS
from cohortsmith.imaging.phantom.delivery.traps import Decision, Trap
from cohortsmith.imaging.sources.inventory import ClinicalVisit, Inventory, Visit
from cohortsmith.imaging.sources.reader import read_source
from cohortsmith.imaging.volume import Volume
from cohortsmith.records import Rejection

SPECK = Volume(np.arange(8, dtype=np.float32).reshape(2, 2, 2), np.diag([90.0, 90.0, 90.0, 1.0]))
INTERFACES = ("until_2024", "since_2024")
OPTIONAL = ("CDR", "APOERES", "MRIQUALITY", "MAYOADIRL_MRI_IMAGEQC_12_08_15", "DXSUM_PDXCONV_ADNIALL")


def named(traps: tuple[Trap, ...]):
    return [pytest.param(trap, id=trap.name) for trap in traps]


def members(traps: tuple[Trap, ...]) -> list:
    return [subject for trap in traps for subject in trap.subjects]


def deliver_adni(root: Path, traps: tuple[Trap, ...], interface: adni.Interface = "until_2024") -> Path:
    write_files(root, adni.tables(members(traps), interface))
    for subject in members(traps):
        for image in subject.images:
            write_files(root, adni.image_files(subject, image, SPECK, interface))
    return root


def deliver_aibl(root: Path, traps: tuple[Trap, ...]) -> Path:
    write_files(root, aibl.tables(members(traps)))
    for subject in members(traps):
        for image in subject.images:
            write_files(root, aibl.image_files(subject, image, SPECK))
    return root


def deliver_oasis1(root: Path, traps: tuple[Trap, ...]) -> Path:
    """Deliver true names and headers, and voxels that nobody reads."""
    write_files(root, oasis1.clinical_table(members(traps)))
    model = oasis1.session_files(oasis1.OasisSession("MODEL"), SPECK)
    for session in members(traps):
        write_files(root, {name.replace("MODEL", session.identifier): file[:348] for name, file in model.items()})
    return root


def read(source: str, root: Path, *, images: str = "", table: str = "") -> Inventory:
    study = StudyConfig(name="traps", source=source, path=str(root / images), table=table, labels=("CN", "AD"))
    return read_source(study)


def read_adni(root: Path) -> Inventory:
    return read("adni", root, images="ADNI", table=str(root / "tables"))


def read_aibl(root: Path) -> Inventory:
    return read("aibl", root, images="AIBL", table=str(root / "tables"))


@pytest.fixture(scope="module", params=INTERFACES)
def whole_adni(request, tmp_path_factory) -> Inventory:
    return read_adni(deliver_adni(tmp_path_factory.mktemp("adni"), ADNI_TRAPS, request.param))


@pytest.fixture(scope="module")
def whole_aibl(tmp_path_factory) -> Inventory:
    return read_aibl(deliver_aibl(tmp_path_factory.mktemp("aibl"), AIBL_TRAPS))


@pytest.fixture(scope="module")
def whole_oasis1(tmp_path_factory) -> Inventory:
    root = deliver_oasis1(tmp_path_factory.mktemp("oasis1"), OASIS1_TRAPS)
    (root / "oasis_cross-sectional_facts.pdf").write_bytes(b"%PDF")
    (root / "disc13").mkdir()
    return read("oasis1", root)


@pytest.fixture(scope="module")
def whole_hospital(tmp_path_factory) -> Inventory:
    root = tmp_path_factory.mktemp("hospital")
    for number, trap in enumerate(DICOM_TRAPS):
        write_files(root / f"PA{number:06d}", study_files(trap))
    return read("dicom", root)


def decision(item: Visit | Rejection) -> Decision:
    if isinstance(item, Rejection):
        return Decision(item.candidate, "reject", item.rule)
    return Decision(item.candidate, "convert", item.rule, item.session_id.removeprefix("ses-"), item.diagnosis)


def decided(inventory: Inventory) -> list[Decision]:
    return [decision(item) for item in (*inventory.visits, *inventory.rejections)]


def known_by_number(decisions: list[Decision]) -> list[Decision]:
    """Forget what the ledger calls things that have no number of the archive's."""
    return sorted(one if one.candidate.startswith("I") else one._replace(candidate="") for one in decisions)


def of_trap(inventory: Inventory, trap: Trap) -> list[Decision]:
    """Look up what became of a trap's numbered images."""
    own = {one.candidate for one in trap.expected}
    return sorted(one for one in decided(inventory) if one.candidate in own)


def numbered(trap: Trap) -> list[Decision]:
    return sorted(one for one in trap.expected if one.candidate)


def of_person(inventory: Inventory, number: int) -> list[Decision]:
    """Look up what became of everything of one patient of a hospital, whatever the ledger calls it."""
    items = [item for item in (*inventory.visits, *inventory.rejections) if item.key.startswith(f"sub-{number:04d}_")]
    return sorted(decision(item)._replace(candidate="") for item in items)


def clinical(inventory: Inventory, subject: str) -> list[ClinicalVisit]:
    return [visit for visit in inventory.clinical if visit.participant_id == f"sub-{subject}"]


def everything(traps: tuple[Trap, ...]) -> list[Decision]:
    return sorted(one for trap in traps for one in trap.expected)


@pytest.mark.parametrize("trap", named(ADNI_TRAPS))
def test_adni_is_decided_as_the_rules_say(trap, whole_adni):
    assert of_trap(whole_adni, trap) == numbered(trap)


def test_every_image_of_adni_is_accounted_for(whole_adni):
    images = {image.image for subject in members(ADNI_TRAPS) for image in subject.images}
    second_copies = 1  # of DELIVERED_TWICE

    found = decided(whole_adni)

    assert len(whole_adni.visits) + len(whole_adni.rejections) == len(images) + second_copies
    assert len({one.candidate for one in found}) == len(found)
    assert [one for one in known_by_number(found) if not one.candidate] == [Decision("", "reject", "adni.duplicate")]


@pytest.mark.parametrize("table", OPTIONAL)
def test_adni_does_without_a_table_that_only_adds_to_what_is_known(table, tmp_path):
    deliver_adni(tmp_path, (adni_traps.MEMORY_CONCERN,))
    (tmp_path / "tables" / f"{table}.csv").unlink()

    assert decided(read_adni(tmp_path)) == list(adni_traps.MEMORY_CONCERN.expected)


def test_a_person_with_memory_concern_is_known_as_such(whole_adni):
    visits = clinical(whole_adni, "ADNI909S9933")

    assert [(visit.diagnosis, visit.baseline_diagnosis) for visit in visits] == [("CN", "SMC")]


def test_the_later_visit_of_a_converter_is_known_without_a_scan_in_adni(whole_adni):
    visits = clinical(whole_adni, "ADNI909S9934")

    assert [visit[1:4] for visit in visits] == [("ses-M000", 0, "CN"), ("ses-M024", 24, "MCI")]


@pytest.mark.parametrize("trap", named(AIBL_TRAPS))
def test_aibl_is_decided_as_the_rules_say(trap, whole_aibl):
    assert of_trap(whole_aibl, trap) == numbered(trap)


def test_every_image_of_aibl_is_accounted_for(whole_aibl):
    images = [image for subject in members(AIBL_TRAPS) for image in subject.images]
    rows_alone = 3  # of WRONG_DATE, UNKNOWN_DATE and ROW_WITHOUT_FOLDER

    assert len(whole_aibl.visits) + len(whole_aibl.rejections) == len(images) + rows_alone
    assert known_by_number(decided(whole_aibl)) == everything(AIBL_TRAPS)


def test_minus_four_is_unknown_in_every_column(whole_aibl):
    (visit,) = (visit for visit in whole_aibl.visits if visit.participant_id == "sub-AIBL9912")

    assert (visit.diagnosis, visit.sex, visit.site) == ("n/a", "n/a", "n/a")
    assert np.isnan([visit.age, visit.mmse]).all()


def test_an_age_in_aibl_is_the_year_of_the_scan_less_that_of_birth(whole_aibl):
    ages = {visit.participant_id: visit.age for visit in whole_aibl.visits}

    assert ages["sub-AIBL9901"] == aibl_traps.LATER.year - aibl.Subject("", (), ()).born


def test_the_later_visit_of_a_converter_is_known_without_a_scan_in_aibl(whole_aibl):
    visits = clinical(whole_aibl, "AIBL9913")

    assert [(visit.session_id, visit.diagnosis) for visit in visits] == [("ses-M000", "CN"), ("ses-M018", "MCI")]


@pytest.mark.parametrize("trap", named(OASIS1_TRAPS))
def test_oasis1_is_decided_as_the_rules_say(trap, whole_oasis1):
    expected = [
        one._replace(candidate=f"sub-OASIS1{one.candidate[5:9]}") for one in trap.expected if one.decision == "convert"
    ]

    assert [one for one in taken(whole_oasis1) if one.candidate in {one.candidate for one in expected}] == expected


def taken(inventory: Inventory) -> list[Decision]:
    return sorted(decision(visit)._replace(candidate=visit.participant_id) for visit in inventory.visits)


def test_every_session_of_oasis1_is_accounted_for_beside_what_does_not_belong_there(whole_oasis1):
    expected = sorted(one._replace(candidate="") for one in everything(OASIS1_TRAPS))

    assert len(whole_oasis1.visits) + len(whole_oasis1.rejections) == len(members(OASIS1_TRAPS))
    assert sorted(one._replace(candidate="") for one in decided(whole_oasis1)) == expected


@pytest.mark.parametrize(
    ("number", "trap"), [pytest.param(number, trap, id=trap.name) for number, trap in enumerate(DICOM_TRAPS, 1)]
)
def test_a_hospitals_series_are_decided_as_the_rules_say(number, trap, whole_hospital):
    assert of_person(whole_hospital, number) == sorted(one._replace(candidate="") for one in trap.expected)


def test_every_series_is_accounted_for(whole_hospital):
    assert len(whole_hospital.visits) + len(whole_hospital.rejections) == len(members(DICOM_TRAPS))


@pytest.mark.parametrize("traps", [ADNI_TRAPS, AIBL_TRAPS, OASIS1_TRAPS, DICOM_TRAPS])
def test_no_trap_shares_its_name_or_its_candidates_with_another(traps):
    numbers = [one.candidate for trap in traps for one in trap.expected if one.candidate.startswith(("I", "O"))]

    assert len({trap.name for trap in traps}) == len(traps)
    assert len(set(numbers)) == len(numbers)


def test_nobody_planted_in_the_embedded_study_can_be_taken_for_a_person_of_the_archives():
    planted = members((*adni_traps.REJECTED_BY_INGESTION, *adni_traps.REJECTED_FROM_COHORT))

    assert [subject.ptid for subject in planted if not subject.ptid.startswith("909_S_99")] == []
    assert min(int(subject.rid) for subject in members(aibl_traps.REJECTED_BY_INGESTION)) > 9900
