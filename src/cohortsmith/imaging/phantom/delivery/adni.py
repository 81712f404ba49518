"""Volumes and clinical rows as ADNI delivers them: a tree of images by person and sequence, and many tables.

Subjects are invented: sites begin with a 9, which none of ADNI's does.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal, NamedTuple

from cohortsmith.imaging.phantom.delivery.dicom import Series, series_files
from cohortsmith.imaging.phantom.delivery.files import Files, nifti_file, table_file
from cohortsmith.imaging.volume import Volume

# The interface of the archive was renewed in September 2024: tables got new names and folders another identifier.
Interface = Literal["until_2024", "since_2024"]

N3 = "MPR; GradWarp; B1 Correction; N3"
SCALED = "MPR; GradWarp; B1 Correction; N3; Scaled"
N3M = "MPR; GradWarp; N3m"
RAW = "MP-RAGE"
ACCELERATED = "Accelerated Sagittal MPRAGE"
SCREENING = {"ADNI1": "ADNI Screening", "ADNIGO": "ADNIGO Screening MRI", "ADNI2": "ADNI2 Screening MRI-New Pt"}


class Image(NamedTuple):
    """One image: a row of MPRAGEMETA and a folder on disk, or only one of them.

    visit: the archive's own name of the visit. series, image: the archive's numbers.
    field_strength: tesla. original: as scanned, in DICOM files; else processed, a NIfTI file.
    """

    series: int
    image: int
    sequence: str
    scanned: date
    visit: str = "ADNI Screening"
    field_strength: float = 1.5
    original: bool = False
    listed: bool = True
    delivered: bool = True


class Examination(NamedTuple):
    """One row of ADNIMERGE: VISCODE, day, COLPROT, DX (empty if unknown), MMSE."""

    code: str
    day: date
    diagnosis: str = "CN"
    protocol: str = "ADNI1"
    mmse: int = 29


class Judgement(NamedTuple):
    """Mayo Clinic's view of one image: quality 1 to 3, 4 failed or -1 not looked at, and whether it was selected."""

    image: int
    quality: int
    selected: bool = False


class Subject(NamedTuple):
    """One person of the study.

    ptid: ddd_S_dddd. group: DX_bl, such as CN, SMC or AD. age: years at baseline.
    quality: series number -> passed. listed: whether ADNIMERGE knows the person.
    """

    ptid: str
    examinations: tuple[Examination, ...]
    images: tuple[Image, ...]
    group: str = "CN"
    age: float = 74.0
    sex: str = "F"
    protocol: str = "ADNI1"
    quality: tuple[tuple[int, bool], ...] = ()
    judgements: tuple[Judgement, ...] = ()
    listed: bool = True

    @property
    def rid(self) -> int:
        """Give the number that most tables know the person by: the last four digits, below 900 subjects."""
        return int(self.ptid[1] + self.ptid[-4:])


def image_files(subject: Subject, image: Image, volume: Volume, interface: Interface = "until_2024") -> Files:
    """Give an image's files, in DICOM if it is original; nothing if it was not delivered."""
    if not image.delivered:
        return {}
    place = _place(subject, image, interface)
    if not image.original:
        return {f"{place}.nii": nifti_file(volume)}
    moment = datetime.combine(image.scanned, datetime.min.time()).replace(hour=9)
    header = Series(subject.ptid, moment, image.series, image.sequence, field_strength=image.field_strength)
    # Each file of a series has a name of its own before the two identifiers.
    stem, identifiers = place[: place.rindex("_S")], place[place.rindex("_S") :]
    contents = series_files(header, volume)
    return {f"{stem}_{number}{identifiers}.dcm": content for number, content in enumerate(contents, 1)}


def tables(subjects: Sequence[Subject], interface: Interface = "until_2024") -> Files:
    """Give the clinical tables and those on images and their quality."""
    known = [subject for subject in subjects if subject.listed]
    contents = {
        "ADNIMERGE": _adnimerge(known),
        "MPRAGEMETA": _mpragemeta(subjects),
        "MRIQUALITY": _mriquality(subjects),
        _MAYO[interface]: _mayo(subjects),
        "CDR": _cdr(known),
        _DIAGNOSES[interface]: _diagnoses(known),
        "APOERES": _apoeres(known, interface),
    }
    suffix = "" if interface == "until_2024" else "_03Jun2025"
    return {f"tables/{name}{suffix}.csv": content for name, content in contents.items()}


_MAYO = {"until_2024": "MAYOADIRL_MRI_IMAGEQC_12_08_15", "since_2024": "MAYOADIRL_MRI_IMAGEQC_05_07_15"}
_DIAGNOSES = {"until_2024": "DXSUM_PDXCONV_ADNIALL", "since_2024": "DXSUM"}
_CODES = {"CN": 1, "MCI": 2, "Dementia": 3}


def _place(subject: Subject, image: Image, interface: Interface) -> str:
    sequence = folder_name(image.sequence)
    last = f"S{image.series}" if interface == "until_2024" else f"I{image.image}"
    stamp = f"{image.scanned:%Y%m%d}090000"
    name = f"ADNI_{subject.ptid}_MR_{sequence}_Br_{stamp}_S{image.series}_I{image.image}"
    return f"ADNI/{subject.ptid}/{sequence}/{image.scanned:%Y-%m-%d}_09_00_00.0/{last}/{name}"


def folder_name(sequence: str) -> str:
    """Give the name of a sequence's folder: what a file name should not hold becomes an underscore."""
    return re.sub(r"[ /;*()<>:]", "_", sequence)


def _adnimerge(subjects: Sequence[Subject]) -> bytes:
    rows = [_examination(subject, examination) for subject in subjects for examination in subject.examinations]
    columns = ("RID", "PTID", "VISCODE", "SITE", "COLPROT", "ORIGPROT", "EXAMDATE", "DX_bl", "AGE", "PTGENDER")
    return table_file(rows, (*columns, "PTEDUCAT", "APOE4", "CDRSB", "MMSE", "DX", "EXAMDATE_bl", "MMSE_bl", "Month"))


def _examination(subject: Subject, examination: Examination) -> dict[str, object]:
    first = subject.examinations[0]
    return {
        "RID": subject.rid,
        "PTID": subject.ptid,
        "VISCODE": examination.code,
        "SITE": int(subject.ptid[:3]),
        "COLPROT": examination.protocol,
        "ORIGPROT": subject.protocol,
        "EXAMDATE": f"{examination.day:%Y-%m-%d}",
        "DX_bl": subject.group,
        "AGE": subject.age,
        "PTGENDER": {"M": "Male", "F": "Female"}[subject.sex],
        "PTEDUCAT": 16,
        "APOE4": 0,
        "MMSE": examination.mmse,
        "DX": examination.diagnosis,
        "EXAMDATE_bl": f"{first.day:%Y-%m-%d}",
        "MMSE_bl": first.mmse,
        "Month": 0 if examination.code == "bl" else int(examination.code[1:]),
    }


def _mpragemeta(subjects: Sequence[Subject]) -> bytes:
    rows = [
        {
            "SubjectID": subject.ptid,
            "Visit": image.visit,
            "MagStrength": image.field_strength,
            "Sequence": image.sequence,
            "ScanDate": f"{image.scanned:%Y-%m-%d}",
            "StudyID": subject.rid,
            "SeriesID": image.series,
            "ImageUID": image.image,
            "Orig/Proc": "Original" if image.original else "Processed",
        }
        for subject in subjects
        for image in subject.images
        if image.listed
    ]
    columns = ("SubjectID", "Visit", "MagStrength", "Sequence", "ScanDate", "StudyID", "SeriesID", "ImageUID")
    return table_file(rows, ("Orig/Proc", *columns))


def _mriquality(subjects: Sequence[Subject]) -> bytes:
    rows = [
        {"RID": subject.rid, "LONIUID": f"S{series}", "PASS": int(passed)}
        for subject in subjects
        for series, passed in subject.quality
    ]
    return table_file(rows, ("RID", "LONIUID", "PASS"))


def _mayo(subjects: Sequence[Subject]) -> bytes:
    rows = [
        {
            "RID": subject.rid,
            "series_type": "T1",
            "loni_image": f"I{judgement.image}",
            "series_selected": int(judgement.selected),
            "series_quality": judgement.quality,
        }
        for subject in subjects
        for judgement in subject.judgements
    ]
    return table_file(rows, ("RID", "series_type", "loni_image", "series_selected", "series_quality"))


def _cdr(subjects: Sequence[Subject]) -> bytes:
    rating = {"CN": 0.0, "MCI": 0.5, "Dementia": 1.0}
    rows = [
        {"RID": subject.rid, "VISCODE2": visit.code, "CDGLOBAL": rating[visit.diagnosis]}
        for subject in subjects
        for visit in subject.examinations
        if visit.diagnosis
    ]
    return table_file(rows, ("RID", "VISCODE2", "CDGLOBAL"))


def _diagnoses(subjects: Sequence[Subject]) -> bytes:
    rows = [
        {"RID": subject.rid, "PTID": subject.ptid, "VISCODE2": code, "DIAGNOSIS": _CODES[visit.diagnosis]}
        for subject in subjects
        for visit in subject.examinations
        if visit.diagnosis
        for code in (("sc", "bl") if visit.code == "bl" else (visit.code,))
    ]
    return table_file(rows, ("RID", "PTID", "VISCODE2", "DIAGNOSIS"))


def _apoeres(subjects: Sequence[Subject], interface: Interface) -> bytes:
    if interface == "until_2024":
        rows = [{"RID": subject.rid, "APGEN1": 3, "APGEN2": 3} for subject in subjects]
        return table_file(rows, ("RID", "APGEN1", "APGEN2"))
    return table_file(
        [{"RID": subject.rid, "PTID": subject.ptid, "GENOTYPE": "3/3"} for subject in subjects],
        ("RID", "PTID", "GENOTYPE"),
    )
