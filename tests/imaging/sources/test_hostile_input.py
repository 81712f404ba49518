"""Deliveries that are broken, or meant to break the reader: a reason for each scan, never a traceback, never a leak."""

import gzip
import io
import json
import os
import signal
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.datasets.bids_folder import BidsFolder
from cohortsmith.errors import CohortsmithError, ScanRejected, StudyError
from cohortsmith.imaging.bids import kept_fields, read_sidecar, scan_key
from cohortsmith.imaging.free_text import is_formula, plain_text
from cohortsmith.imaging.phantom.delivery import adni, adni_traps, aibl, aibl_traps
from cohortsmith.imaging.phantom.delivery.dicom_traps import SHORTER, study_files
from cohortsmith.imaging.phantom.delivery.files import nifti_file, write_files
from cohortsmith.imaging.sources import Inventory, Visit, convert_visit, dicom_conversion, hash_scan, read_source
from cohortsmith.imaging.sources.archive_folders import list_stored_images
from cohortsmith.imaging.sources.archive_values import harmless
from cohortsmith.imaging.sources.candidates import candidate_name, require_inside
from cohortsmith.imaging.sources.clinical_table import UnusableValue
from cohortsmith.imaging.sources.ledger import build_ledger, candidates
from cohortsmith.imaging.sources.pseudonym_map import write_pseudonym_map
from cohortsmith.imaging.volume import Volume, read_volume
from cohortsmith.pipelines.ingest import nodes

VOLUME = Volume(np.arange(16 * 17 * 18, dtype=np.float32).reshape(16, 17, 18) % 999, np.diag([9.0, 10.0, 11.0, 1.0]))
SCAN = nifti_file(VOLUME)
HEADER = "participant_id,diagnosis,age,sex,site\n"
COLUMNS = Columns(session="", site="site")
NOT_TEXT = os.fsdecode(b"M\xfcller")
PERSON = "909_S_9901"


def study(source: str, root: Path, table: str = "t.csv", columns: Columns = COLUMNS) -> StudyConfig:
    return StudyConfig(name="t", source=source, path=str(root), table=table, labels=("CN", "AD"), columns=columns)


def read_nifti(root: Path, *rows: str, header: str = HEADER, columns: Columns = COLUMNS) -> Inventory:
    """Read scans A and B and a table of them."""
    write_files(root, {f"{name}.nii": SCAN for name in "AB"})
    (root / "t.csv").write_bytes((header + "\n".join(rows) + "\n").encode("utf-8", errors="surrogateescape"))
    return read_source(study("nifti", root, columns=columns))


def rules(inventory: Inventory) -> dict[str, str]:
    return {one.key or one.candidate: one.rule for one in (*inventory.visits, *inventory.rejections)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of a study, beside one that is none of its business."""
    (tmp_path / "outside").mkdir()
    write_files(tmp_path / "outside", {"secret.nii": SCAN, "secret.json": b'{"EchoTime": 0.5}'})
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def nobody() -> Iterator[None]:
    """Read as a user with no rights of its own, whoever runs the tests."""
    before = os.geteuid()
    seteuid = os.seteuid if before == 0 else lambda _: None
    seteuid(65534)
    yield
    seteuid(before)


class Hung(BaseException):
    """The reader waits for something that never comes; nothing may catch this."""


@pytest.fixture
def impatience() -> Iterator[None]:
    """End whatever takes more than a minute."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# --- formulas and other text


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "@SUM(A1)", "+1+1", "-2+3", "=1", "--", "+x"])
def test_a_formula_in_a_clinical_cell_sets_the_row_aside(root: Path, text: str) -> None:
    inventory = read_nifti(root, f'A,CN,60,m,"{text}"', f'B,"{text}",60,m,x')
    assert rules(inventory) == {"sub-A_ses-01": "table.formula", "sub-B_ses-01": "table.formula"}
    assert [one for one in inventory.rejections if text in one.reason] == []


@pytest.mark.parametrize("text", ["-4", "+1.5", "-1e3", "1,5", "a=b", "2-3", "Köln"])
def test_numbers_with_a_sign_and_names_are_no_formulas(text: str) -> None:
    assert not is_formula(text)


def test_white_space_before_a_formula_does_not_hide_it(root: Path) -> None:
    inventory = read_nifti(root, 'A,CN,60,m,"\t=1+1"', 'B,CN,60,m,"\r@x"')
    assert set(rules(inventory).values()) == {"table.formula"}


def test_what_cannot_be_printed_is_not_carried_on(root: Path) -> None:
    inventory = read_nifti(root, 'A,CN,60,m,"one\n\x1b[31mtwo\u202e"')
    assert inventory.visits[0].site == "one ?[31mtwo?"


def test_a_cell_of_a_page_is_no_site(root: Path) -> None:
    assert rules(read_nifti(root, f"A,CN,60,m,{'x' * 101}"))["sub-A_ses-01"] == "table.unusable_value"


def test_formulas_in_an_archives_table_are_taken_as_unknown() -> None:
    cells = pd.Series(["12", "=1+1", "a\nb", "x" * 101, "=1+1", ""], dtype=str)
    assert list(harmless(cells)) == ["12", "", "a b", "", "", ""]


def test_formulas_in_adnis_tables_do_not_reach_the_visits(root: Path) -> None:
    deliver_adni(root)
    table = root / "tables" / "ADNIMERGE.csv"
    frame = pd.read_csv(table, dtype=str)
    frame.assign(SITE="=1+1", DX_bl="@x").to_csv(table, index=False)
    inventory = read_adni(root)
    assert [visit.site for visit in inventory.visits] == [PERSON[:3]]
    assert {visit.baseline_diagnosis for visit in inventory.clinical} == {"n/a"}


@pytest.mark.usefixtures("impatience")
def test_scans_in_archives_may_be_pipes(root: Path) -> None:
    deliver_adni(root)
    (scan,) = root.rglob("*.nii")
    scan.unlink()
    os.mkfifo(scan)
    (visit,) = read_adni(root).visits
    assert _attempt(hash_scan, visit) == _attempt(convert_visit, visit) == "refused"


@pytest.mark.parametrize("name", ["=A", "-A", "+A", "@A", "A\t=1"])
def test_an_identifier_is_letters_and_digits_whatever_stands_in_the_table(root: Path, name: str) -> None:
    inventory = read_nifti(root, f'"{name}",CN,60,m,x')
    assert all(key.replace("sub-", "").replace("_ses-", "").isalnum() for key in rules(inventory))


def test_the_tables_of_a_bids_folder_hold_no_formula(root: Path, tmp_path: Path) -> None:
    inventory = read_nifti(root, "A,CN,60,m,=1+1", "B,CN,60,f,ok\x07")
    frame = pd.DataFrame([visit._asdict() for visit in inventory.visits])
    BidsFolder(filepath=str(tmp_path / "bids")).save(nodes.describe_bids_folder(study("nifti", root), frame))
    cells = [
        cell for path in (tmp_path / "bids").rglob("*.tsv") for cell in path.read_text().replace("\n", "\t").split("\t")
    ]
    assert "ok?" in cells and [cell for cell in cells if is_formula(cell)] == []


def test_the_pseudonym_map_can_be_opened_in_a_spreadsheet(tmp_path: Path) -> None:
    places = (("c1", "=1+1.nii"), ("c2", f"{NOT_TEXT}/a\nb\x1b.nii"))
    refused = [nodes.Rejection("", "ingest", "x", name, "x") for name, _ in places]
    inventory = Inventory((), tuple(refused), places=places)
    write_pseudonym_map(tmp_path / "map.tsv", "training", inventory, build_ledger(inventory, {}))
    rows = [line.split("\t")[2] for line in (tmp_path / "map.tsv").read_text().splitlines()]
    assert rows == ["delivered", "./=1+1.nii", "M\\udcfcller/a\\nb\\x1b.nii"]


def test_an_error_shows_no_control_character_and_no_page() -> None:
    text = str(StudyError("what", got="a\x1b[31m\udcff" + "x" * 5000, remedy="one\ntwo"))
    assert "got: a?[31m?x" in text and "one\ntwo" in text and len(text) < 1200


def test_plain_text_is_one_line() -> None:
    assert plain_text(" a\r\n b\0\u2028c\udcff") == "a b? c?"


@pytest.mark.parametrize("text", ["٠٠١_S_٠٠٠١", "٣"])
def test_only_plain_digits_make_a_number(root: Path, text: str) -> None:
    write_files(root, {f"ADNI/{text}/MPRAGE/2006-03-06_00_00_00.0/I1/x.nii": SCAN, "t.csv": b"a\n1\n"})
    with pytest.raises(StudyError, match="no T1-weighted image"):
        read_source(study("adni", root, table=""))
    with pytest.raises(StudyError, match="no T1-weighted image"):
        read_source(study("aibl", root, table=""))


# --- tables


@pytest.mark.parametrize(
    "content", [b"a,b\n" + b"1,2\n" * 3 + b"\xff\xfe", "a\n1\n".encode("utf-32"), b"\0" * 99, b'"' * 99]
)
def test_what_is_no_table_stops_the_study_with_a_message(root: Path, content: bytes) -> None:
    (root / "t.csv").write_bytes(content)
    with pytest.raises(StudyError, match="table"):
        read_source(study("nifti", root))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_line_ends_and_decimal_commas_do_not_matter(root: Path, encoding: str, end: str) -> None:
    write_files(root, {"A.nii": SCAN})
    text = HEADER.replace(",", ";") + "A;CN;60,5;m;Köln\n\n;;;;\n"
    (root / "t.csv").write_bytes(text.replace("\n", end).encode(encoding))
    (visit,) = read_source(study("nifti", root)).visits
    assert (visit.age, visit.site) == (60.5, "Köln")


@pytest.mark.slow
def test_a_table_may_be_wide(root: Path) -> None:
    header = HEADER.strip() + "".join(f",c{number}" for number in range(10_000)) + "\n"
    assert read_nifti(root, "A,CN,60,m,x" + ",1" * 10_000, header=header).visits[0].site == "x"


def test_a_wide_header_without_our_columns_is_not_repeated_in_full(root: Path) -> None:
    header = "age,sex," + ",".join(f"c{number}" for number in range(10_000)) + "\n"
    with pytest.raises(StudyError) as caught:
        read_nifti(root, header=header)
    assert len(str(caught.value)) < 3000


def test_thousands_of_repeated_rows_are_not_all_named(root: Path) -> None:
    with pytest.raises(StudyError, match="and 4990 others") as caught:
        read_nifti(root, *(f"P{number:05d},CN,60,m,x" for number in [*range(5000)] * 2))
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize("length", [65, 300, 5000])
def test_an_identifier_too_long_for_a_file_stops_the_study_with_a_message(root: Path, length: int) -> None:
    with pytest.raises(StudyError, match="too long"):
        read_nifti(root, f"{'a' * length},CN,60,m,x")
    assert len(scan_key("a" * 64, "b" * 64)) < 150


def test_a_table_of_sessions_that_is_none_costs_one_session_only(root: Path) -> None:
    scans = ("sub-A/ses-1/anat/sub-A_ses-1_T1w.nii", "sub-B/ses-1/anat/sub-B_ses-1_T1w.nii")
    write_files(root, dict.fromkeys(scans, SCAN) | {"sub-A/sub-A_sessions.tsv": b"session_id\tage\n1\n"})
    (root / "t.csv").write_text(HEADER + "A,CN,60,m,x\nB,CN,60,m,x\n")
    assert rules(read_source(study("bids", root))) == {
        "sub-A_ses-1": "table.unusable",
        "sub-B_ses-1": "files.only_scan",
    }


@pytest.mark.slow
def test_a_table_of_two_hundred_thousand_rows_is_read_in_bounded_time(root: Path) -> None:
    began = time.process_time()
    inventory = read_nifti(root, *(f"P{number:06d},CN,60,m,x" for number in range(200_000)), "A,CN,60,m,x")
    assert Counter(rules(inventory).values()) == {
        "files.missing": 200_000,
        "files.only_scan": 1,
        "files.not_in_table": 1,
    }
    assert time.process_time() - began < 60


# --- paths and links


@pytest.mark.parametrize("place", ["../outside/secret.nii", "/etc/passwd", "in/../../outside/secret.nii"])
def test_a_column_of_files_leads_nowhere_else(root: Path, place: str) -> None:
    columns = Columns(session="", site="", file="where")
    header = "participant_id,diagnosis,age,sex,where\n"
    rows = [f'A,CN,60,m,"{place}"', "B,CN,60,m,B.nii"]
    inventory = read_nifti(root, *rows, header=header, columns=columns)
    assert rules(inventory)["sub-A_ses-01"] == "files.outside" and rules(inventory)["sub-B_ses-01"] == "files.only_scan"


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "a" * 240 + "é" * 20])
def test_a_name_that_no_file_can_have_is_a_scan_that_is_missing(root: Path, name: str) -> None:
    columns = Columns(session="", site="", file="where")
    header = "participant_id,diagnosis,age,sex,where\n"
    inventory = read_nifti(root, f"A,CN,60,m,{name}", "B,CN,60,m,B.nii", header=header, columns=columns)
    assert rules(inventory)["sub-A_ses-01"] == "files.missing" and rules(inventory)["sub-B_ses-01"] == "files.only_scan"


@pytest.mark.parametrize("target", ["A.nii", "../outside/secret.nii", "/proc/self/mem", "."])
def test_links_in_circles_and_out_of_the_study_are_set_aside(root: Path, target: str) -> None:
    write_files(root, {"B.nii": SCAN})
    (root / "A.nii").symlink_to(target)
    (root / "t.csv").write_text(HEADER + "A,CN,60,m,x\nB,CN,60,m,x\n")
    inventory = read_source(study("nifti", root))
    assert [visit.key for visit in inventory.visits] == ["sub-B_ses-01"]
    assert {one.rule for one in inventory.rejections} <= {"files.outside", "files.missing", "files.not_in_table"}


def test_a_link_to_itself_leads_out(root: Path) -> None:
    (root / "a").symlink_to("a")
    with pytest.raises(UnusableValue, match="or to itself"):
        require_inside(root, "a")


def deliver_adni(root: Path, volume: Volume = VOLUME) -> adni.Subject:
    """Deliver a person with one image, processed."""
    (subject,) = adni_traps.ONLY_SCALED.subjects
    subject = subject._replace(ptid=PERSON)
    write_files(root, adni.tables([subject]) | adni.image_files(subject, subject.images[0], volume))
    return subject


def read_adni(root: Path) -> Inventory:
    return read_source(study("adni", root / "ADNI", table=str(root / "tables")))


def test_folders_that_link_to_each_other_end(root: Path) -> None:
    people = [root / f"001_S_{number:04d}" for number in range(40)]
    for person in people:
        write_files(person, {"MPRAGE/2006-03-06_00_00_00.0/I1/x.nii": b""})
        for number, other in enumerate(people):
            (person / f"L{number}").symlink_to(other)
        (person / "up").symlink_to(root)
    began = time.process_time()
    listing = list_stored_images(root, r"[0-9]{3}_S_[0-9]{4}")
    assert len(listing.frame) < 4000 and time.process_time() - began < 10


UNPRINTABLE = [NOT_TEXT, "a\nb", "\x1b[31m"]


@pytest.mark.parametrize("name", UNPRINTABLE)
def test_images_whose_names_cannot_be_printed_are_rows_of_the_ledger_in_an_archive(root: Path, name: str) -> None:
    deliver_adni(root)
    person = root / "ADNI" / PERSON
    write_files(person / name, {f"{name}_I7.nii": SCAN, "deep/x_I8.dcm": SCAN, "deep/y_I8.dcm": SCAN, "a.txt": b""})
    write_files(person / "MPRAGE" / "2006-03-06_00_00_00.0" / "I9", {f"{name}.nii": SCAN})
    write_files(root / "ADNI" / name / "001_S_0001" / "MPRAGE" / "I10", {"x.nii": SCAN})
    (person / f"{name}x").symlink_to(person)
    inventory = read_adni(root)
    nameless = [one for one in inventory.rejections if one.rule == "files.unprintable_name"]
    assert len(inventory.visits) == 1 and len(nameless) == 4
    assert all(one.key == "" and (one.reason + one.candidate).isprintable() for one in nameless)
    assert "Files and folders whose names cannot be printed were passed over: 4." in inventory.warnings
    assert all(warning.isprintable() for warning in inventory.warnings)
    places = dict(inventory.places)
    assert {places[one.candidate].rsplit("I", 1)[-1] for one in nameless} >= {"7", "8", "10"}
    assert len(build_ledger(inventory, {visit.key: "x" for visit in inventory.visits})) == len(candidates(inventory))


@pytest.mark.parametrize("name", UNPRINTABLE)
def test_dicom_files_may_have_any_names_in_an_archive(root: Path, name: str) -> None:
    deliver_aibl(root)
    (folder,) = {file.parent for file in (root / "AIBL").rglob("*.dcm")}
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(file.with_name(f"{name}{number}.dcm"))
    inventory = read_source(study("aibl", root / "AIBL", table=str(root / "tables")))
    (visit,) = inventory.visits
    assert len(dicom_conversion.files_of(visit)) == len(list(folder.iterdir()))
    assert not [warning for warning in inventory.warnings if "printed" in warning]


def deliver_aibl(root: Path) -> None:
    """Deliver a person with one image."""
    subject = aibl_traps.PADDED_DATE.subjects[0]
    write_files(root, aibl.tables([subject]) | aibl.image_files(subject, subject.images[0], VOLUME))


@pytest.mark.parametrize("name", UNPRINTABLE)
def test_a_person_of_aibl_in_a_folder_whose_name_cannot_be_printed_is_a_row(root: Path, name: str) -> None:
    deliver_aibl(root)
    write_files(root / "AIBL" / name / "77" / "MPRAGE" / "I7", {"x.nii": SCAN})
    inventory = read_source(study("aibl", root / "AIBL", table=str(root / "tables")))
    assert [one.rule for one in inventory.rejections if not one.key] == ["files.unprintable_name"]


@pytest.mark.parametrize("name", UNPRINTABLE)
def test_sessions_of_oasis_are_read_whatever_the_folder_above_is_called(root: Path, name: str) -> None:
    folder = root / name / "OAS1_0001_MR1" / "PROCESSED" / "MPRAGE" / "SUBJ_111"
    write_files(folder, {"x.img": b"", "x.hdr": b""})
    (root / "oasis_cross-sectional.csv").write_text("ID,M/F,Age,MMSE,CDR\nOAS1_0001_MR1,F,70,29,0\n")
    inventory = read_source(study("oasis1", root, table=""))
    assert rules(inventory) == {"sub-OASIS10001_ses-M000": "oasis1.first_session"}


def test_names_in_any_encoding_are_read_where_a_hospital_gave_them(root: Path) -> None:
    files = study_files(SHORTER, pixels=16)
    write_files(root, {f"{NOT_TEXT}\n/{Path(name).name}": content for name, content in files.items()})
    (root / "t.csv").write_bytes(b"participant_id,diagnosis,age,sex,site\n")
    inventory = read_source(study("dicom", root, table=""))
    (visit,) = inventory.visits
    assert convert_visit(visit).volume.data.shape[2] == 40
    assert all(name.isascii() and name.isalnum() for name in candidates(inventory))


def test_a_path_that_is_no_text_does_not_reach_the_table_of_participants(root: Path) -> None:
    write_files(root, {NOT_TEXT + "/A.nii": SCAN})
    columns = Columns(session="", site="site")
    (root / NOT_TEXT / "t.csv").write_text(HEADER + "A,CN,60,m,x\n")
    inventory = read_source(study("nifti", root / NOT_TEXT, columns=columns))
    plan = nodes.plan_ingest(
        inventory, {}, None, study("nifti", root), IngestConfig(), ExecutionConfig(workers=1), role="training"
    )
    assert nodes.describe_participants(plan, dict.fromkeys(plan.marks)).site.tolist() == ["x"]


def test_a_scan_of_any_name_is_a_candidate(root: Path) -> None:
    write_files(root, {f"{NOT_TEXT}\n.nii": SCAN})
    assert candidate_name(f"{NOT_TEXT}\n.nii") in candidates(read_nifti(root, "A,CN,60,m,x"))


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("source", ["nifti", "bids", "dicom"])
def test_a_pipe_is_not_waited_for(root: Path, source: str) -> None:
    files = study_files(SHORTER, pixels=16) | {"t.csv": HEADER.encode() + b"A,CN,60,m,x\n", "B.nii": SCAN}
    write_files(root, files)
    (root / "sub-A" / "anat").mkdir(parents=True)
    for name in ("A.nii", "sub-A/anat/sub-A_T1w.nii", "DICOM/IM999999"):
        os.mkfifo(root / name)
    inventory = read_source(study(source, root, table={"dicom": ""}.get(source, "t.csv")))
    contents = [_attempt(hash_scan, visit) for visit in inventory.visits]
    assert len(contents) == len(inventory.visits)


def _attempt(function, visit: Visit) -> str:
    try:
        return str(function(visit))
    except ScanRejected:
        return "refused"


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("mode", [0o000, 0o400])
@pytest.mark.parametrize("source", ["nifti", "bids", "dicom", "adni", "oasis1"])
def test_what_may_not_be_read_is_not_read_and_the_rest_is(source: str, mode: int, readable: Path) -> None:
    for place in ("closed", f"ADNI/{PERSON}/closed", "discs/closed", "sub-A/ses-closed"):
        (readable / place).mkdir(parents=True)
        (readable / place / "file.nii").write_bytes(SCAN)
        (readable / place / "link.nii").symlink_to("file.nii")
        (readable / place).chmod(mode)
    roots = {"adni": "ADNI", "oasis1": "discs"}
    tables = {"adni": str(readable / "tables"), "oasis1": str(readable / "discs"), "dicom": ""}
    config = study(source, readable / roots.get(source, ""), tables.get(source, "t.csv"))
    inventory = read_source(config)
    for place in ("closed", f"ADNI/{PERSON}/closed", "discs/closed", "sub-A/ses-closed"):
        (readable / place).chmod(0o700)
    assert len(inventory.visits) == 1


@pytest.fixture
def readable(nobody: None) -> Iterator[Path]:
    """A delivery of every kind in a folder that nobody owns."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        deliver_adni(root)
        table = b"ID,M/F,Age,MMSE,CDR\nOAS1_0001_MR1,F,70,29,0\n"
        files = study_files(SHORTER, pixels=16) | {"discs/oasis_cross-sectional.csv": table}
        files |= {f"discs/OAS1_0001_MR1/PROCESSED/MPRAGE/SUBJ_111/x{suffix}": b"x" for suffix in (".img", ".hdr")}
        files |= {"sub-A/anat/sub-A_T1w.nii": SCAN, "A.nii": SCAN, "t.csv": HEADER.encode() + b"A,CN,60,m,x\n"}
        write_files(root, files)
        yield root


@pytest.mark.usefixtures("nobody")
def test_a_table_that_may_not_be_read_stops_the_study_with_a_message(readable: Path) -> None:
    (readable / "t.csv").chmod(0)
    with pytest.raises(StudyError, match="cannot be opened"):
        read_source(study("nifti", readable))


# --- images


def visit_of(path: Path) -> Visit:
    return Visit("sub-A_ses-01", "sub-A", "ses-01", str(path), "CN", 60.0, "M", 29.0, "x")


def lying(**fields: object) -> bytes:
    """Give a whole NIfTI file whose header says something else."""
    image = bytearray(SCAN)
    header = nib.Nifti1Header.from_fileobj(io.BytesIO(SCAN))
    for name, value in fields.items():
        header[name] = value
    image[:348] = header.binaryblock
    return bytes(image)


LIES = (
    {"dim": [3, 2000, 2000, 2000, 1, 1, 1, 1]},
    {"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]},
    {"dim": [3, -5, 17, 18, 1, 1, 1, 1]},
    {"dim": [3, 0, 17, 18, 1, 1, 1, 1]},
    {"dim": [7, 16, 17, 18, 9, 9, 9, 9]},
    {"dim": [99, 16, 17, 18, 1, 1, 1, 1]},
    {"datatype": 9999},
    {"datatype": 128, "bitpix": 24},
    {"vox_offset": 1e30},
    {"vox_offset": np.nan},
    {"scl_slope": np.inf, "scl_inter": np.nan, "datatype": 0},
    {"sform_code": 1, "qform_code": 0, "srow_x": [0, 0, 0, 0]},
    {"sform_code": 1, "qform_code": 0, "srow_x": [1e30, 0, 0, 0], "srow_y": [0, 1, 0, 0], "srow_z": [0, 0, 1e-9, 0]},
    {"sform_code": 1, "qform_code": 0, "srow_x": [3e38, 3e38, 0, 0], "srow_y": [0, 3e38, 0, 0], "srow_z": [0, 0, 1, 0]},
)


@pytest.mark.parametrize("fields", LIES)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_header_that_lies_costs_one_scan_and_no_memory(
    tmp_path: Path, fields: dict[str, object], suffix: str
) -> None:
    path = tmp_path / f"A{suffix}"
    content = lying(**fields)
    path.write_bytes(gzip.compress(content) if suffix == ".nii.gz" else content)
    began = time.process_time()
    with pytest.raises(ScanRejected):
        convert_visit(visit_of(path))
    assert time.process_time() - began < 5


def test_a_compressed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path, more = tmp_path / "A.nii.gz", bytes(1 << 20)
    with gzip.open(path, "wb", 1) as stream:
        stream.write(SCAN)
        for _ in range(300):
            stream.write(more)
    with pytest.raises(ScanRejected, match="ValueError"):
        read_volume(path, "sub-A_ses-01")


@pytest.mark.parametrize("missing", [".img", ".hdr"])
def test_half_a_pair_costs_one_scan(tmp_path: Path, missing: str) -> None:
    for suffix in {".img", ".hdr"} - {missing}:
        (tmp_path / f"A{suffix}").write_bytes(SCAN[:348])
    with pytest.raises(ScanRejected):
        convert_visit(visit_of(tmp_path / "A.img")._replace(orientation="oasis1"))


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("pipe", [".img", ".hdr", ".mat"])
def test_no_part_of_a_pair_may_be_a_pipe(tmp_path: Path, pipe: str) -> None:
    for suffix in {".img", ".hdr"} - {pipe}:
        (tmp_path / f"A{suffix}").write_bytes(SCAN[:348])
    os.mkfifo(tmp_path / f"A{pipe}")
    with pytest.raises(ScanRejected, match="OSError"):
        convert_visit(visit_of(tmp_path / "A.img")._replace(orientation="oasis1"))


@pytest.mark.parametrize("suffix", [".img", ".hdr"])
def test_neither_half_of_a_pair_may_lie_elsewhere(root: Path, suffix: str) -> None:
    folder = root / "OAS1_0001_MR1" / "PROCESSED" / "MPRAGE" / "SUBJ_111"
    write_files(folder, {"x.img": b"", "x.hdr": b""})
    (folder / f"x{suffix}").unlink()
    (folder / f"x{suffix}").symlink_to(root.parent / "outside" / "secret.nii")
    (root / "oasis_cross-sectional.csv").write_text("ID,M/F,Age,MMSE,CDR\nOAS1_0001_MR1,F,70,29,0\n")
    assert rules(read_source(study("oasis1", root, table=""))) == {"sub-OASIS10001_ses-M000": "files.outside"}


@pytest.mark.parametrize(
    "content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", b"\x89PNG\r\n\x1a\n" * 9, b"", b"GIF89a"]
)
def test_a_picture_is_what_it_says(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "A.png").write_bytes(content)
    with pytest.raises(ScanRejected, match="image cannot be read"):
        convert_visit(visit_of(tmp_path / "A.png"))


def test_a_picture_of_another_format_is_not_opened(tmp_path: Path) -> None:
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30)).save(tmp_path / "A.png", "tiff")
    with pytest.raises(ScanRejected, match="image cannot be read"):
        convert_visit(visit_of(tmp_path / "A.png"))


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b'{"EchoTime": NaN, "FlipAngle": 1e999, "RepetitionTime": 2.3}', {"RepetitionTime": 2.3}),
        (b'{"Manufacturer": "\\ud800x\\n\\u001b"}', {"Manufacturer": "?x ?"}),
        (b'{"Manufacturer": {"PatientName": "DOE"}, "EchoTime": ["DOE"], "FlipAngle": true}', {}),
        (b'{"Manufacturer": "' + b"x" * 65 + b'", "EchoTime": ' + b"9" * 400 + b"}", {}),
        (b'{"Manufacturer": "K\xf6ln"}', {"Manufacturer": "K\ufffdln"}),
        (b"[" * 100_000, {}),
        (b"\xff\xfe{", {}),
        (b'{"EchoTime": 1}' + b" " * (1 << 20), {}),
    ],
)
def test_of_a_foreign_sidecar_only_short_texts_and_numbers_are_kept(tmp_path: Path, content: bytes, kept: dict) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert read_sidecar(tmp_path / "a.json") == kept
    json.dumps(kept, allow_nan=False).encode()


def test_a_field_that_is_absent_is_not_kept() -> None:
    assert kept_fields({"PatientName": "DOE", "EchoTime": None, "Manufacturer": ""}) == {}


# --- DICOM files and archives


def dicom_files(**fields: object) -> dict[str, bytes]:
    """Give a whole series whose every header says something else."""
    return {name: _edited(content, fields) for name, content in study_files(SHORTER, pixels=16).items()}


def _edited(content: bytes, fields: dict[str, object]) -> bytes:
    image, target = pydicom.dcmread(io.BytesIO(content)), io.BytesIO()
    for name, value in fields.items():
        setattr(image, name, value)
    image.save_as(target, enforce_file_format=True)
    return target.getvalue()


def nested(depth: int) -> list[Dataset]:
    item = Dataset()
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedImageSequence = [item]
        item = outer
    return [item]


@pytest.mark.parametrize(
    "fields",
    [
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 0},
        {"NumberOfFrames": "2147483647"},
        {"NumberOfFrames": "-3"},
        {"BitsAllocated": 64},
        {"SamplesPerPixel": 3},
        {"PixelData": b""},
        {"PixelSpacing": ["0", "0"]},
        {"ImageOrientationPatient": ["0"] * 6},
        {"Manufacturer": "K\xf6ln\x1b=1+1", "InstitutionName": "\xe4"},
        {"SpecificCharacterSet": "ISO_IR 999"},
        {"SeriesDescription": "t1\x1b[31m" + "x" * 9000},
        {"PatientID": "../../=1+1", "StudyDate": "99999999"},
        {"ReferencedImageSequence": nested(50)},
    ],
)
def test_absurd_headers_cost_their_own_scan_at_most(root: Path, fields: dict[str, object]) -> None:
    write_files(root / "bad", dicom_files(**fields, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4"))
    write_files(root / "good", study_files(SHORTER, pixels=16))
    inventory = read_source(study("dicom", root, table=""))
    outcomes = [_attempt(convert_visit, visit) != "refused" for visit in inventory.visits]
    assert len(inventory.visits) + len(inventory.rejections) == 3 and any(outcomes)
    texts = " ".join((*rules(inventory).values(), *(one.reason for one in inventory.rejections)))
    assert texts.isprintable() and "=1+1" not in texts


def packed(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:xz", preset=0) as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_nothing_in_an_archive_is_unpacked_or_followed(root: Path, tmp_path: Path) -> None:
    files = study_files(SHORTER, pixels=16)
    places = ["/absolute/", "../../up/", "a\nb/", f"{NOT_TEXT}/", ""]
    whole = [
        (member(places[index % 5] + Path(name).name), content) for index, (name, content) in enumerate(files.items())
    ]
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
    others = [(member(f"x{number}", kind, "/etc/passwd"), b"") for number, kind in enumerate(kinds)]
    empty = [(member(f"empty/{number}.dcm"), content[:200]) for number, content in enumerate([b"", b"\0" * 200] * 500)]
    cut = [(member(f"cut/{number}.dcm"), content[: 140 + number]) for number, content in enumerate(files.values())]
    path = packed(root / "all.tar.xz", [*others, *whole, *empty, *cut])
    before = sorted(tmp_path.rglob("*"))
    inventory = read_source(study("dicom", path, table=""))
    shapes = [convert_visit(visit).volume.data.shape for visit in inventory.visits]
    assert [shape[2] for shape in shapes] == [40]
    assert sorted(tmp_path.rglob("*")) == before and not Path("/absolute").exists()


def test_a_member_larger_than_any_image_is_passed_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cohortsmith.imaging.sources.dicom_headers._LARGEST_MEMBER", 1 << 20)
    files = study_files(SHORTER, pixels=16)
    members = [(member(name), content) for name, content in files.items()] + [(member("bomb"), bytes(1 << 21))]
    inventory = read_source(study("dicom", packed(root / "a.tar.xz", members), table=""))
    assert len(inventory.visits) == 1
    assert inventory.warnings == ("1 files of the archive were passed over: they are larger than any image",)


@pytest.mark.parametrize("size", [10**12, 10**18])
def test_a_member_that_claims_a_huge_size_is_a_damaged_archive(root: Path, size: int) -> None:
    info = member("bomb.dcm")
    info.size = size
    (root / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"DICM" * 500)
    with pytest.raises(StudyError):
        read_source(study("dicom", root / "a.tar", table=""))


# --- the whole


def test_after_all_that_the_ledger_balances(root: Path, tmp_path: Path) -> None:
    rows = ["A,CN,60,m,x", "B,CN,60,m,=1", "C,CN,60,m,x", "D,CN,1e999,m,x", "../E,CN,60,m,x", f"F,{'x' * 999},60,m,x"]
    write_files(root, {"C.nii": lying(**LIES[0]), "D.nii": SCAN, "F.nii": SCAN, f"{NOT_TEXT}.nii": SCAN})
    config, execution = study("nifti", root), ExecutionConfig(workers=1)
    ingest = IngestConfig(pseudonym_map=str(tmp_path / "map.tsv"))
    inventory = read_nifti(root, *rows)
    plan = nodes.plan_ingest(inventory, {}, None, config, ingest, execution, role="training")
    refused = [nodes._rows([_refusal(visit)])[0] for visit in plan.inventory.visits if visit.key != "sub-A_ses-01"]
    done = {"sub-A_ses-01": nodes.convert_one(plan.inventory.visits[0])}
    ledger, _ = nodes.write_ledger(
        plan, done, [*nodes._rows(list(plan.inventory.rejections)), *refused], ingest, role="training"
    )
    assert Counter(ledger["decision"]) == {"convert": 1, "reject": 6}
    assert dict(zip(ledger["key"], ledger["rule"], strict=True)) == {
        "sub-A_ses-01": "files.only_scan",
        "sub-B_ses-01": "table.formula",
        "sub-C_ses-01": "scan.unusable",
        "sub-D_ses-01": "table.unusable_value",
        "sub-E_ses-01": "files.outside",
        "sub-F_ses-01": "table.unusable_value",
        "": "files.not_in_table",
    }


def _refusal(visit: Visit) -> nodes.Rejection:
    with pytest.raises(CohortsmithError) as caught:
        nodes.convert_one(visit)
    return nodes._refused(visit, caught.value)
