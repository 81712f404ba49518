"""OASIS-1 as a whole: folders and its table in, visits, rejections and warnings out; and which way the head lies."""

import math
from pathlib import Path

import nibabel as nib
import numpy as np
import openpyxl
import pytest

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import ScanRejected, StudyError
from cohortsmith.imaging.sources import convert_visit, read_source
from cohortsmith.imaging.sources.inventory import Inventory, Visit

HEADER = "ID,M/F,Hand,Age,Educ,SES,MMSE,CDR,eTIV,nWBV,ASF,Delay\n"
TABLE = "oasis_cross-sectional.csv"
IMAGE = "PROCESSED/MPRAGE/SUBJ_111/x_mpr_n4_anon_sbj_111"


def row(name: str, sex: str = "F", age: str = "74", mmse: str = "29", cdr: str = "0") -> str:
    return f"{name},{sex},R,{age},2,3,{mmse},{cdr},1344,0.743,1.306,N/A\n"


def store(folder: Path, *names: str) -> None:
    for name in names:
        for suffix in (".img", ".hdr"):
            path = folder / name / f"{IMAGE}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def read(folder: Path, table: str = "") -> Inventory:
    return read_source(StudyConfig(name="oasis", source="oasis1", path=str(folder), table=table, labels=("CN", "AD")))


def rules(inventory: Inventory) -> dict[str, str]:
    return {item.candidate: item.rule for item in (*inventory.visits, *inventory.rejections)}


def test_first_sessions_are_converted_and_rescans_are_not(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text(HEADER + row("OAS1_0002_MR1", "M", "55") + row("OAS1_0002_MR2", "M", "55", "", ""))
    store(tmp_path, "disc1/OAS1_0002_MR1", "OAS1_0002_MR2")
    inventory = read(tmp_path)
    assert rules(inventory) == {"OAS1_0002_MR1": "oasis1.first_session", "OAS1_0002_MR2": "oasis1.rescan"}
    (visit,) = inventory.visits
    assert visit[:3] == ("sub-OASIS10002_ses-M000", "sub-OASIS10002", "ses-M000")
    assert (visit.sex, visit.age, visit.mmse, visit.orientation) == ("M", 55.0, 29.0, "oasis1")
    assert visit.source == str(tmp_path / "disc1" / "OAS1_0002_MR1" / f"{IMAGE}.img")
    assert inventory.warnings == ()


@pytest.mark.parametrize(
    ("cdr", "diagnosis"),
    [("0", "CN"), ("0.0", "CN"), ("0.5", "AD"), ("1", "AD"), ("2.0", "AD"), ("", "n/a"), ("N/A", "n/a")],
)
def test_the_clinical_rating_gives_the_diagnosis(tmp_path: Path, cdr: str, diagnosis: str) -> None:
    (tmp_path / TABLE).write_text(HEADER + row("OAS1_0001_MR1", cdr=cdr))
    store(tmp_path, "OAS1_0001_MR1")
    inventory = read(tmp_path)
    assert inventory.visits[0].diagnosis == diagnosis
    assert [tuple(one) for one in inventory.clinical] == [("sub-OASIS10001", "ses-M000", 0.0, diagnosis, diagnosis)]


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text(HEADER + row("OAS1_0001_MR1") + row("OAS1_0009_MR1"))
    store(tmp_path, "OAS1_0001_MR1", "copy/OAS1_0001_MR1", "OAS1_0003_MR1", "BIDS/sub-1")
    (tmp_path / "OAS1_0004_MR1" / "RAW").mkdir(parents=True)
    inventory = read(tmp_path)
    found = rules(inventory)
    assert found.pop("OAS1_0001_MR1") == "oasis1.first_session" and found.pop("OAS1_0003_MR1") == "oasis1.first_session"
    assert found.pop("OAS1_0004_MR1") == "oasis1.not_on_disk" and list(found.values()) == ["oasis1.duplicate"]
    unlisted = inventory.visits[1]
    assert (unlisted.diagnosis, unlisted.sex) == ("n/a", "n/a") and math.isnan(unlisted.age)
    assert inventory.warnings == (
        "Folders passed over, for their names are not like OAS1_0001_MR1: 1.",
        "People of the table without any folder: 1.",
    )


def test_the_table_may_have_another_name_and_place(tmp_path: Path) -> None:
    store(tmp_path / "images", "OAS1_0001_MR1")
    (tmp_path / "mine.csv").write_text(HEADER + row("OAS1_0001_MR1", age="61"))
    assert read(tmp_path / "images", str(tmp_path / "mine.csv")).visits[0].age == 61


def test_the_spreadsheet_that_the_archive_delivers_is_read_as_it_is(tmp_path: Path) -> None:
    store(tmp_path, "OAS1_0001_MR1", "OAS1_0002_MR1")
    workbook = openpyxl.Workbook()
    for cells in (HEADER, row("OAS1_0001_MR1", "M", cdr="0.5"), row("OAS1_0002_MR1", age="55", cdr="")):
        workbook.active.append([as_typed(cell) for cell in cells.strip().split(",")])
    workbook.save(tmp_path / "oasis_cross-sectional-5708aa0a98d82080.xlsx")
    inventory = read(tmp_path)
    found = [(one.diagnosis, one.age, one.sex, one.mmse) for one in inventory.visits]
    assert found == [("AD", 74.0, "M", 29.0), ("n/a", 55.0, "F", 29.0)] and inventory.warnings == ()


def as_typed(text: str) -> object:
    """Give a cell as a spreadsheet program keeps it: numbers as numbers, nothing as nothing."""
    return float(text) if text.replace(".", "", 1).isdigit() else text or None


@pytest.mark.parametrize("name", ["oasis_cross-sectional-5708aa0a98d82080.xlsx", "oasis_cross-sectional.xls"])
def test_a_spreadsheet_that_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    store(tmp_path, "OAS1_0001_MR1")
    (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(StudyError, match=r"(?s)an old Excel file; open the table.*save the spreadsheet as CSV"):
        read(tmp_path)
    (tmp_path / TABLE).write_text(HEADER + row("OAS1_0001_MR1"))
    assert len(read(tmp_path).visits) == 1


def test_a_study_without_sessions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="disc1 to disc12"):
        read(tmp_path)


def test_links_out_of_the_root_are_not_followed(tmp_path: Path) -> None:
    root, away = tmp_path / "root", tmp_path / "away"
    store(root, "OAS1_0001_MR1", "OAS1_0003_MR1")
    store(away, "OAS1_0002_MR1")
    (root / "OAS1_0002_MR1").symlink_to(away / "OAS1_0002_MR1")
    image = root / "OAS1_0003_MR1" / f"{IMAGE}.img"
    image.unlink()
    image.symlink_to(away / "OAS1_0002_MR1" / f"{IMAGE}.img")
    (root / TABLE).write_text(HEADER + row("OAS1_0001_MR1"))
    inventory = read(root)
    assert rules(inventory) == {"OAS1_0001_MR1": "oasis1.first_session", "OAS1_0003_MR1": "files.outside"}
    assert "Symbolic links that lead out of the study's folder were not followed: 1." in inventory.warnings


def analyze(path: Path, shape: tuple[int, ...]) -> Visit:
    data = np.zeros(shape, np.int16)
    data[200, 30, 10] = 100  # to the front, low, to the right
    image = nib.AnalyzeImage(data, None)
    image.set_data_dtype(np.int16)
    nib.save(image, path)
    return Visit("sub-1_ses-1", "sub-1", "ses-1", str(path), "CN", 70.0, "F", 29.0, "n/a", orientation="oasis1")


@pytest.mark.parametrize("shape", [(256, 256, 160), (256, 256, 160, 1)])
def test_a_marked_voxel_lies_where_the_scanner_saw_it(tmp_path: Path, shape: tuple[int, ...]) -> None:
    volume = convert_visit(analyze(tmp_path / "x.img", shape)).volume
    assert nib.aff2axcodes(volume.affine) == ("R", "A", "S") and volume.data.shape == (160, 256, 256)
    (index,) = np.argwhere(volume.data == 100)
    # x = 80 - k, y = i - 128, z = j - 128
    np.testing.assert_allclose(volume.affine @ [*index, 1], [70, 72, -98, 1])


@pytest.mark.parametrize("shape", [(256, 256, 128), (208, 176, 176), (256, 256, 160, 2)])
def test_another_grid_is_set_aside(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with np.errstate(all="ignore"), pytest.raises(ScanRejected, match="grid of OASIS-1"):
        convert_visit(analyze_any(tmp_path / "x.img", shape))


def analyze_any(path: Path, shape: tuple[int, ...]) -> Visit:
    nib.save(nib.AnalyzeImage(np.ones(shape, np.uint8), None), path)
    return Visit("sub-1_ses-1", "sub-1", "ses-1", str(path), "CN", 70.0, "F", 29.0, "n/a", orientation="oasis1")


def test_a_damaged_or_lonely_image_is_set_aside_without_its_path(tmp_path: Path) -> None:
    visit = analyze(tmp_path / "x.img", (256, 256, 160))
    (tmp_path / "x.img").write_bytes(b"short")
    with pytest.raises(ScanRejected) as refused:
        convert_visit(visit)
    (tmp_path / "x.hdr").unlink()
    with pytest.raises(ScanRejected):
        convert_visit(visit)
    assert str(tmp_path) not in str(refused.value)
