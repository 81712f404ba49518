import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.errors import StudyError
from cohortsmith.imaging import bids
from cohortsmith.imaging.volume import Volume

labels = st.text("abcXYZ0189", min_size=1, max_size=8)


@given(subject=labels, session=labels)
def test_a_key_is_taken_apart_into_what_made_it(subject: str, session: str) -> None:
    assert bids.entities(bids.scan_key(subject, session)) == (subject, session)


@given(st.text(max_size=12))
def test_every_identifier_becomes_a_legal_label(identifier: str) -> None:
    label = bids.alphanumeric(identifier)
    assert label == "" or (label.isascii() and label.isalnum())


@pytest.mark.parametrize(
    ("participant", "session", "key"),
    [("A-12", "", "sub-A12_ses-01"), ("sub-7", "ses-M012", "sub-7_ses-M012"), (" 0_3 ", "2 b", "sub-03_ses-2b")],
)
def test_identifiers_are_cleaned(participant: str, session: str, key: str) -> None:
    assert bids.scan_key(participant, session) == key


def test_an_identifier_without_letters_is_refused() -> None:
    with pytest.raises(StudyError, match="no letter or digit"):
        bids.scan_key("--")


@pytest.mark.parametrize("text", ["sub-01", "sub-0_1_ses-1", "01_02", "sub-01_ses-01_T1w"])
def test_what_is_no_key_is_not_taken_apart(text: str) -> None:
    with pytest.raises(ValueError, match="not a BIDS key"):
        bids.entities(text)


def test_identifiers_that_collide_are_named() -> None:
    with pytest.raises(StudyError) as caught:
        bids.require_distinct_subjects(["A-1", "A1", "B1", "b_1", "C"])
    assert "A-1 and A1" in caught.value.got and "B1 and b_1" in caught.value.got


def test_visits_of_one_participant_do_not_collide() -> None:
    bids.require_distinct_subjects(["A1", "A1", "B1"])


def test_paths_follow_the_standard() -> None:
    root = Path("root")
    assert bids.raw_path(root, "sub-1_ses-2") == root / "sub-1/ses-2/anat/sub-1_ses-2_T1w.nii.gz"
    derived = bids.derivative_path(root, "sub-1_ses-2", space="MNI152NLin2009aSym", description="prepared")
    assert derived.name == "sub-1_ses-2_space-MNI152NLin2009aSym_desc-prepared_T1w.nii.gz"
    assert bids.sidecar_path(derived).name == "sub-1_ses-2_space-MNI152NLin2009aSym_desc-prepared_T1w.json"


def test_a_sidecar_keeps_physics_and_drops_the_person(tmp_path: Path, volume: Volume) -> None:
    fields = {"EchoTime": 0.003, "PatientName": "DOE^JANE", "AcquisitionTime": "13:25", "StudyDescription": "Doe"}
    path = bids.write_raw_scan(tmp_path, "sub-1_ses-1", volume, fields)
    assert json.loads(bids.sidecar_path(path).read_text()) == {"EchoTime": 0.003}


def test_a_derivative_says_so_and_who_made_it(tmp_path: Path) -> None:
    bids.write_dataset_description(tmp_path, "x", derivative=True, description="N4", sources=("../bids",))
    content = json.loads((tmp_path / "dataset_description.json").read_text())
    assert content["DatasetType"] == "derivative"
    assert content["GeneratedBy"][0]["Name"] == "cohortsmith" and content["GeneratedBy"][0]["Version"]
    assert content["SourceDatasets"] == [{"URL": "../bids"}]
    bids.write_dataset_description(tmp_path, "x")
    assert json.loads((tmp_path / "dataset_description.json").read_text())["DatasetType"] == "raw"
