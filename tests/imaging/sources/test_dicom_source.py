import gzip
import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage, generate_uid

from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.errors import ConfigurationError, ScanRejected, StudyError
from cohortsmith.imaging.bids import SIDECAR_FIELDS, write_dataset_description, write_raw_scan
from cohortsmith.imaging.bids_tables import write_participants
from cohortsmith.imaging.sources import Inventory, convert_visit, hash_scan, read_source
from cohortsmith.imaging.sources.dicom_choice import choose_t1w, judge_visit
from cohortsmith.imaging.sources.dicom_headers import Portion, portions
from cohortsmith.imaging.sources.dicom_series import Series, survey_folder
from cohortsmith.imaging.sources.ledger import candidates
from cohortsmith.imaging.sources.work import one_by_one

SLICES = 40


def write_series(folder: Path, *, patient: str, study: str, slices: int = SLICES, **fields: object) -> None:
    """A small series: value = 100 z + y + x/100 rounded, 2 mm slices of 1 mm pixels, axial."""
    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid(entropy_srcs=[patient, study, str(folder), str(fields)])
    frame = generate_uid(entropy_srcs=[patient, study])
    for z in range(slices):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = MRImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(z)])
        image = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.PatientName, image.PatientID, image.PatientBirthDate = f"DOE^{patient}", patient, "19540302"
        image.StudyDate, image.StudyTime, image.Modality, image.Manufacturer = "20200101", "101010", "MR", "SIEMENS"
        image.SeriesNumber, image.InstanceNumber, image.SeriesDescription = 3, z + 1, "t1_mprage_sag"
        image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-16, -18, 2 * z]
        image.PixelSpacing, image.SliceThickness, image.EchoTime = [1, 1], 2, 2.98
        image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = 36, 32, 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        image.PixelData = (100 * z + np.add.outer(np.arange(36), np.arange(32))).astype("<u2").tobytes()
        for name, value in fields.items():
            setattr(image, name, value)
        image.save_as(folder / f"IM{z:04d}", enforce_file_format=True)


def uid(name: str) -> str:
    return generate_uid(entropy_srcs=[name])


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A disc: one patient scanned twice, one only with a localizer, and the usual files that are no DICOM."""
    root = tmp_path / "disc"
    write_series(root / "P2" / "t1", patient="P2", study=uid("late"), StudyDate="20210101")
    write_series(root / "P1" / "second", patient="P1", study=uid("b"), StudyDate="20200701")
    write_series(root / "P1" / "first" / "t1", patient="P1", study=uid("a"))
    write_series(
        root / "P1" / "first" / "t2",
        patient="P1",
        study=uid("a"),
        slices=60,
        SeriesDescription="t2_tse",
        SeriesNumber=2,
    )
    write_series(root / "P3" / "loc", patient="P3", study=uid("c"), slices=3, StudyDate="20220101")
    (root / "README.txt").write_text("made by the scanner")
    return root


def dicom_study(path: Path, **options: object) -> StudyConfig:
    return StudyConfig(name="test", source="dicom", path=str(path), labels=("CN", "AD"), **options)


def written(root: Path, inventory: Inventory) -> list[Path]:
    for visit in inventory.visits:
        converted = convert_visit(visit)
        write_raw_scan(root, visit.key, converted.volume, converted.sidecar)
    write_participants(root, pd.DataFrame([visit._asdict() for visit in inventory.visits]))
    write_dataset_description(root, "test")
    return [path for path in root.rglob("*") if path.is_file()]


def mentions(path: Path, secret: str) -> bool:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    # Voxels can spell anything: of an image only the header counts.
    head = content[:352] if path.suffix == ".gz" else content
    return secret.encode() in head or secret in str(path)


def test_without_a_table_patients_are_numbered_by_their_first_study(export: Path) -> None:
    inventory = read_source(dicom_study(export))
    assert [(visit.key, visit.diagnosis) for visit in inventory.visits] == [
        ("sub-0001_ses-01", "n/a"),
        ("sub-0001_ses-02", "n/a"),
        ("sub-0002_ses-01", "n/a"),
    ]
    assert [(rejection.key, rejection.rule) for rejection in inventory.rejections] == [
        ("sub-0001_ses-01", "dicom.not_t1w"),
        ("sub-0003_ses-01", "dicom.too_few_images"),
    ]
    assert [(visit.day, visit.rule) for visit in inventory.visits] == [
        (0, "dicom.only_t1w"),
        (182, "dicom.only_t1w"),
        (0, "dicom.only_t1w"),
    ]


def test_an_archive_gives_the_same_as_its_folder(export: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "disc.tar.xz", "w:xz") as archive:
        archive.add(export, "disc")
    from_folder, from_archive = (read_source(dicom_study(path)) for path in (export, tmp_path / "disc.tar.xz"))
    assert [visit.key for visit in from_archive.visits] == [visit.key for visit in from_folder.visits]
    assert [hash_scan(visit) for visit in from_archive.visits] == [hash_scan(visit) for visit in from_folder.visits]
    pairs = [(convert_visit(a), convert_visit(b)) for a, b in zip(from_folder.visits, from_archive.visits, strict=True)]
    assert all(np.array_equal(a.volume.data, b.volume.data) for a, b in pairs)


def test_voxels_and_geometry_survive(export: Path) -> None:
    converted = convert_visit(read_source(dicom_study(export)).visits[0])
    volume = converted.volume
    # DICOM counts x to the left and y to the back; RAS+ turns both.
    expected = 100 * np.arange(SLICES)[None, None, :] + np.add.outer(np.arange(32), np.arange(36))[::-1, ::-1, None]
    np.testing.assert_array_equal(volume.data, expected)
    np.testing.assert_allclose(volume.affine, [[1, 0, 0, -15], [0, 1, 0, -17], [0, 0, 2, 0], [0, 0, 0, 1]], atol=1e-4)
    assert converted.sidecar["EchoTime"] == pytest.approx(0.00298)
    assert set(converted.sidecar) <= set(SIDECAR_FIELDS)


def test_series_in_one_folder_are_told_apart(export: Path, tmp_path: Path) -> None:
    first = export / "P1" / "first"
    for file in sorted((first / "t2").iterdir()):
        file.rename(first / "t1" / f"A_{file.name}")
    visit = read_source(dicom_study(first)).visits[0]
    assert len(list((first / "t1").iterdir())) == SLICES + 60
    assert convert_visit(visit).volume.data.shape == (32, 36, SLICES)


def test_nothing_of_the_person_is_written(export: Path, tmp_path: Path) -> None:
    files = written(tmp_path / "bids", read_source(dicom_study(export)))
    assert len(files) > 10
    secrets = ["DOE", "P1", "P2", "19540302", "1954-03-02", "20200101", uid("a"), uid("b")]
    assert [(path.name, secret) for path in files for secret in secrets if mentions(path, secret)] == []


def table(tmp_path: Path, *rows: str) -> StudyConfig:
    (tmp_path / "labels.csv").write_text("id,visit,dx,age,sex,where\n" + "\n".join(rows) + "\n")
    columns = Columns(participant="id", session="visit", diagnosis="dx", file="where")
    return dicom_study(tmp_path / "disc", table=str(tmp_path / "labels.csv"), columns=columns)


def test_a_table_leads_to_folders_or_patients_and_the_rest_is_accounted_for(export: Path, tmp_path: Path) -> None:
    config = table(tmp_path, "A,1,CN,60,F,P1/first", "B,1,AD,70,M,P2", "C,1,AD,70,M,P1", "D,1,AD,70,M,P9")
    inventory = read_source(config)
    assert [(visit.key, visit.diagnosis) for visit in inventory.visits] == [
        ("sub-A_ses-1", "CN"),
        ("sub-B_ses-1", "AD"),
    ]
    assert sorted((rejection.key, rejection.rule) for rejection in inventory.rejections) == [
        ("", "dicom.ambiguous_row"),
        ("", "dicom.not_in_table"),
        ("sub-A_ses-1", "dicom.not_t1w"),
        ("sub-C_ses-1", "dicom.several_studies"),
        ("sub-D_ses-1", "files.missing"),
    ]
    require_whole(inventory, series=5, rows_without_scan=2)


def require_whole(inventory: Inventory, series: int, rows_without_scan: int = 0) -> None:
    """Every series of the source stands in the inventory once."""
    names = candidates(inventory)
    assert len(names) == len(set(names)) == series + rows_without_scan


def test_two_rows_for_one_study_are_both_set_aside(export: Path, tmp_path: Path) -> None:
    inventory = read_source(table(tmp_path, "A,1,CN,60,F,P2", "B,1,AD,70,M,P2/t1"))
    assert inventory.visits == ()
    rules = {rejection.key: rejection.rule for rejection in inventory.rejections if rejection.key}
    assert rules == {"sub-A_ses-1": "files.named_twice", "sub-B_ses-1": "files.named_twice"}
    require_whole(inventory, series=5, rows_without_scan=2)


@pytest.mark.parametrize(
    "dates", [("20200101", "20200701"), ("2020-01-01", "2020-07-01"), ("01.01.2020", "01.07.2020")]
)
def test_dates_tell_a_patients_studies_apart_and_become_numbers(export: Path, tmp_path: Path, dates: tuple) -> None:
    inventory = read_source(table(tmp_path, f"A,{dates[1]},AD,61,F,P1", f"A,{dates[0]},CN,60,F,P1"))
    assert [(visit.key, visit.diagnosis, visit.day) for visit in inventory.visits] == [
        ("sub-A_ses-01", "CN", 0),
        ("sub-A_ses-02", "AD", 182),
    ]


def test_a_date_that_no_study_has_leads_nowhere(export: Path, tmp_path: Path) -> None:
    inventory = read_source(table(tmp_path, "A,20200102,CN,60,F,P2"))
    assert inventory.visits == () and "files.missing" in {rejection.rule for rejection in inventory.rejections}


def test_a_session_may_be_the_name_of_a_folder(export: Path, tmp_path: Path) -> None:
    inventory = read_source(table(tmp_path, "A,first,CN,60,F,P1", "A,second,AD,61,F,P1"))
    assert [(visit.key, visit.diagnosis) for visit in inventory.visits] == [
        ("sub-A_ses-first", "CN"),
        ("sub-A_ses-second", "AD"),
    ]


def test_a_series_spread_over_folders_is_put_together(tmp_path: Path) -> None:
    write_series(tmp_path / "in" / "A" / "deep", patient="P", study=uid("a"))
    (tmp_path / "in" / "B").mkdir()
    for file in sorted((tmp_path / "in" / "A" / "deep").iterdir())[::2]:
        file.rename(tmp_path / "in" / "B" / file.name)
    inventory = read_source(dicom_study(tmp_path / "in"))
    assert [visit.folders for visit in inventory.visits] == [("A/deep", "B")]
    assert convert_visit(inventory.visits[0]).volume.data.shape == (32, 36, SLICES)


def test_copies_of_images_are_left_out_and_said(tmp_path: Path) -> None:
    write_series(tmp_path / "in" / "A", patient="P", study=uid("a"))
    shutil.copytree(tmp_path / "in" / "A", tmp_path / "in" / "copy")
    visit = read_source(dicom_study(tmp_path / "in")).visits[0]
    assert f"{SLICES} copies of its images were left out" in visit.reason
    assert convert_visit(visit).volume.data.shape == (32, 36, SLICES)


def test_copies_do_not_make_a_series_long_enough(tmp_path: Path) -> None:
    write_series(tmp_path / "in" / "A", patient="P", study=uid("a"), slices=20)
    shutil.copytree(tmp_path / "in" / "A", tmp_path / "in" / "copy")
    assert [one.rule for one in read_source(dicom_study(tmp_path / "in")).rejections] == ["dicom.too_few_images"]


def edit(folder: Path, **fields: object) -> None:
    for file in folder.iterdir():
        image = pydicom.dcmread(file)
        for name, value in fields.items():
            setattr(image, name, value)
        image.save_as(file)


def test_one_identifier_under_two_patients_rejects_both(tmp_path: Path) -> None:
    for name in ("A", "B"):
        write_series(tmp_path / name, patient=name, study=uid(name))
        edit(tmp_path / name, SeriesInstanceUID=uid("same"))
    inventory = read_source(dicom_study(tmp_path))
    assert inventory.visits == ()
    assert [(one.key, one.rule) for one in inventory.rejections] == [("", "dicom.conflicting_ids")] * 2
    require_whole(inventory, series=2)


def test_a_series_without_identifier_is_a_rejection_of_its_own(tmp_path: Path) -> None:
    write_series(tmp_path / "good", patient="A", study=uid("a"))
    write_series(tmp_path / "bad", patient="A", study=uid("a"))
    for file in (tmp_path / "bad").iterdir():
        image = pydicom.dcmread(file)
        del image.SeriesInstanceUID
        image.save_as(file)
    inventory = read_source(dicom_study(tmp_path))
    assert [visit.key for visit in inventory.visits] == ["sub-0001_ses-01"]
    assert [one.rule for one in inventory.rejections] == ["dicom.no_series_uid"]
    require_whole(inventory, series=2)


@pytest.mark.parametrize("implicit", [True, False])
def test_files_without_preamble_are_read_and_converted(tmp_path: Path, implicit: bool) -> None:
    write_series(tmp_path / "in", patient="P", study=uid("a"))
    whole = convert_visit(read_source(dicom_study(tmp_path / "in")).visits[0])
    for file in (tmp_path / "in").iterdir():
        image = pydicom.dcmread(file)
        image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        image.save_as(file, implicit_vr=implicit, little_endian=True)
        data = file.read_bytes()
        start = 132 + 12 + int.from_bytes(data[140:144], "little")  # behind preamble and file meta group
        file.write_bytes(data[start:])
    assert (tmp_path / "in" / "IM0000").read_bytes()[:2] == b"\x08\x00"
    bare = convert_visit(read_source(dicom_study(tmp_path / "in")).visits[0])
    np.testing.assert_array_equal(bare.volume.data, whole.volume.data)


def test_junk_is_passed_over(tmp_path: Path) -> None:
    write_series(tmp_path / "in", patient="P", study=uid("a"))
    (tmp_path / "in" / "Thumbs.db").write_bytes(b"\x08\x00" + bytes(range(256)) * 4)
    (tmp_path / "in" / "empty").write_bytes(b"")
    (tmp_path / "in" / "x.zip").write_bytes(b"PK\x03\x04" + bytes(300))
    (tmp_path / "in" / "cut.dcm").write_bytes((tmp_path / "in" / "IM0000").read_bytes()[:150])
    inventory = read_source(dicom_study(tmp_path / "in"))
    assert len(inventory.visits) == 1 and inventory.rejections == ()


def test_links_out_of_the_study_are_not_followed_and_counted(tmp_path: Path) -> None:
    write_series(tmp_path / "in", patient="P", study=uid("a"))
    write_series(tmp_path / "other", patient="Q", study=uid("b"))
    (tmp_path / "in" / "link.dcm").symlink_to(tmp_path / "other" / "IM0000")
    inventory = read_source(dicom_study(tmp_path / "in"))
    assert len(inventory.visits) == 1 and inventory.rejections == ()
    assert [warning.split(":")[0] for warning in inventory.warnings] == ["1 files were passed over"]


def test_frames_count_as_images(tmp_path: Path) -> None:
    write_series(tmp_path / "in", patient="P", study=uid("a"), slices=1, NumberOfFrames=SLICES)
    assert len(read_source(dicom_study(tmp_path / "in")).visits) == 1


def test_broken_values_do_not_stop_the_survey(tmp_path: Path) -> None:
    write_series(tmp_path / "in", patient="P", study=uid("a"))
    for file in (tmp_path / "in").iterdir():
        data = file.read_bytes()
        file.write_bytes(data.replace(b"2.98", b"x.yz").replace(b"20200101", b"2020ABCD"))
    visit = read_source(dicom_study(tmp_path / "in")).visits[0]
    assert visit.key == "sub-0001_ses-01" and visit.day is None


def test_several_workers_give_the_same_as_one(export: Path) -> None:
    def backwards(function, items):
        return (function(*arguments) for arguments in reversed(list(items.values())))

    jobs = {str(place): (str(export), [portion]) for place, portion in enumerate(_portions(export))}
    one, many = (survey_folder(export, jobs, work).series for work in (one_by_one, backwards))
    assert one == many and len(one) == 5


def _portions(root: Path) -> list[Portion]:
    whole = [portion for _, job in portions(root).values() for portion in job]
    return [Portion(folder, part, 3) for folder, *_ in whole for part in range(3)]


def test_the_content_is_that_of_the_series_alone(export: Path, tmp_path: Path) -> None:
    before = {visit.key: hash_scan(visit) for visit in read_source(dicom_study(export)).visits}
    (export / "P1" / "first").rename(export / "P1" / "renamed")
    folder = export / "P1" / "renamed"
    for file in sorted((folder / "t2").iterdir()):
        file.rename(folder / "t1" / f"X{file.name}")
    for file in sorted((folder / "t1").iterdir()):
        os.utime(file, (0, 0))
        file.rename(file.with_name(f"{file.name[::-1]}.dcm"))
    after = {visit.key: hash_scan(visit) for visit in read_source(dicom_study(export)).visits}
    assert after == before and len(set(after.values())) == 3

    edit(export / "P2" / "t1", PatientComments="x")
    changed = {visit.key: hash_scan(visit) for visit in read_source(dicom_study(export)).visits}
    assert [key for key in after if after[key] != changed[key]] == ["sub-0002_ses-01"]


def test_a_table_needs_a_column_that_leads_to_files(export: Path, tmp_path: Path) -> None:
    config = table(tmp_path, "A,1,CN,60,F,P1")
    blind = config.model_copy(update={"columns": config.columns.model_copy(update={"file": ""})})
    with pytest.raises(ConfigurationError, match=r"study\.columns\.file"):
        read_source(blind)


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(StudyError, match="no DICOM series"):
        read_source(dicom_study(tmp_path))


def test_a_truncated_or_damaged_archive_is_refused(export: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "disc.tar.xz", "w:xz") as archive:
        archive.add(export, "disc")
    path = tmp_path / "disc.tar.xz"
    whole, half = path.read_bytes(), path.stat().st_size // 2
    path.write_bytes(whole[:half])
    with pytest.raises(StudyError, match="cannot be read to its end"):
        read_source(dicom_study(path))
    path.write_bytes(whole[:half] + b"\xff" * 64 + whole[half + 64 :])
    with pytest.raises(StudyError, match="cannot be read to its end"):
        read_source(dicom_study(path))


def test_a_series_that_dcm2niix_cannot_convert_is_set_aside_by_its_key(export: Path) -> None:
    visit = read_source(dicom_study(export)).visits[0]
    for file in Path(visit.source, *visit.folders).iterdir():
        header = pydicom.dcmread(file)
        del header.PixelData
        header.save_as(file)
    with pytest.raises(ScanRejected) as caught:
        convert_visit(visit)
    assert caught.value.where == "sub-0001_ses-01" and "dcm2niix" in caught.value.got and "P1" not in str(caught.value)


def one(**fields: object) -> Series:
    plain = Series("d", "s", "p", "", (), 1, 176, "MR", "t1_mprage", False, False, 3.0, 2300.0)
    return plain._replace(**fields)


@pytest.mark.parametrize(
    "description",
    ["MPRAGE", "t1_mp2rage?", "Sag 3D BRAVO", "FSPGR BRAVO", "T1w_3D_TFE", "anat-T1w", "3D_T1_TFL"],
)
def test_t1_weighted_names_are_recognised(description: str) -> None:
    assert choose_t1w([one(description=description)]) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"modality": "CT"},
        {"images": 31},
        {"enhanced": True},
        *(
            {"description": name}
            for name in ("t1 localizer", "T1 FLAIR", "t1_mprage MPR Range", "T1 post", "T1 + Gd", "t1_ce")
        ),
        *({"description": name} for name in ("t2_space", "ep2d_bold", "DTI 64", "gre_field_mapping", "TOF 3D")),
    ],
)
def test_other_series_are_passed_over(fields: dict[str, object]) -> None:
    assert choose_t1w([one(**fields)]) is None


def test_a_nameless_series_is_known_by_its_timing_but_a_named_one_comes_first() -> None:
    timed = one(description="scan 4", volumetric=True, images=300)
    assert choose_t1w([timed]) == timed
    assert choose_t1w([timed, one()]) == one()
    assert choose_t1w([timed._replace(echo_time=90.0)]) is None


def test_every_series_of_a_visit_gets_its_rule() -> None:
    visit = {
        "ct": one(modality="CT"),
        "flair": one(description="T1 FLAIR"),
        "gado": one(enhanced=True),
        "post": one(description="T1 post"),
        "short": one(images=12),
        "named other": one(description="scan 4", volumetric=True),
        "unnamed": one(description="scan 5"),
        "mpr": one(original=False, images=300),
        "fewer": one(images=100, number=9),
        "first": one(number=3),
        "repeat": one(number=7),
        "no uid": one(digest=""),
    }
    rules = {choice.series: (choice.is_chosen, choice.rule) for choice in judge_visit(list(visit.values()))}
    assert {name: rules[series] for name, series in visit.items()} == {
        "ct": (False, "dicom.not_mr"),
        "flair": (False, "dicom.not_t1w"),
        "gado": (False, "dicom.contrast"),
        "post": (False, "dicom.contrast"),
        "short": (False, "dicom.too_few_images"),
        "named other": (False, "dicom.not_t1w"),
        "unnamed": (False, "dicom.not_t1w"),
        "mpr": (False, "dicom.derived"),
        "fewer": (False, "dicom.fewer_images"),
        "first": (False, "dicom.earlier_repeat"),
        "repeat": (True, "dicom.most_images"),
        "no uid": (False, "dicom.no_series_uid"),
    }


def test_computed_images_are_taken_where_there_is_nothing_else() -> None:
    assert choose_t1w([one(original=False)]) is not None


def test_more_images_win_then_the_latest() -> None:
    first, repeated, short = one(number=3), one(number=7), one(number=9, images=90)
    assert choose_t1w([first, repeated, short]) == repeated


@pytest.mark.real_data
def test_a_real_archive_becomes_one_scan_without_its_person(shared: Path, tmp_path: Path) -> None:
    config = dicom_study(shared / "data" / "dicom_t1w.tar.xz")
    inventory = read_source(config)
    assert [visit.key for visit in inventory.visits] == ["sub-0001_ses-01"] and inventory.rejections == ()
    files = written(tmp_path, inventory)
    with tarfile.open(config.path) as archive:
        member = next(member for member in archive if member.isfile())
        header = pydicom.dcmread(archive.extractfile(member), stop_before_pixels=True)
    secrets = [str(header.PatientName), str(header.PatientBirthDate), str(header.StudyDate), str(header.StudyID)]
    secrets += [str(header.StudyDescription), str(header.SeriesInstanceUID), "Doe", "1966"]
    assert all(len(secret) > 2 for secret in secrets)
    assert [(path.name, secret) for path in files for secret in secrets if mentions(path, secret)] == []
    identifier = str(header.PatientID)
    texts = [json.loads(path.read_text()) for path in files if path.suffix == ".json"]
    assert f'"{identifier}"' not in json.dumps(texts)
    assert convert_visit(inventory.visits[0]).volume.data.shape == (274, 384, 384)
