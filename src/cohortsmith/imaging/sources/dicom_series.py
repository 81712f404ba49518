"""DICOM files grouped into series, and the rules that choose the T1-weighted one.

A series is a candidate if it is MR, without contrast agent, of at least 32 images, and its description or protocol
  1. names a T1-weighted sequence (T1, MPRAGE, BRAVO, SPGR, TFE, TFL) and none of localizer, T2, FLAIR, diffusion,
     BOLD, perfusion, angiography, field map, reformat (MPR), contrast; or, if no series of the visit is named so,
  2. names none of these but its timing is T1-weighted: 3-D, echo time <= 8 ms, repetition time <= 3000 ms.
Of several candidates the one with most images is taken, then the latest (a repeated scan replaces a failed one).
"""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from cohortsmith.imaging.sources.dicom_headers import Header

_T1 = re.compile(r"t1|mp-?rage|bravo|spgr|tfe|tfl", re.IGNORECASE)
_OTHER = re.compile(
    r"t2|flair|loc|scout|survey|dwi|dti|diff|adc|bold|fmri|epi|asl|perf|swi|tof|angio|field|phase|mpr(?!age)|gado|"
    r"contrast|\+c\b|post|(?<![a-z])(gd|ce|pd)(?![a-z])",
    re.IGNORECASE,
)
_MINIMUM_IMAGES = 32


class Series(NamedTuple):
    """One DICOM series; nothing of it may be written or logged but the digest.

    digest:  of the SeriesInstanceUID. study, patient: identifiers as they stand in the header.
    folder:  deepest folder that holds all its files, inside the source.
    moment:  study date and time as text. echo_time, repetition_time: ms, 0 if unknown.
    """

    digest: str
    study: str
    patient: str
    moment: str
    folder: str
    number: int
    images: int
    modality: str
    description: str
    volumetric: bool
    enhanced: bool
    echo_time: float
    repetition_time: float


def digest_of(header: Any) -> str:
    """Give a name for a series from which its identifier cannot be read."""
    return hashlib.sha256(str(header.SeriesInstanceUID).encode()).hexdigest()[:16]


def group_series(headers: Iterable[Header]) -> list[Series]:
    """Group files by SeriesInstanceUID."""
    groups: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        groups[digest_of(header.fields)].append(header)
    return [_series(digest, group) for digest, group in groups.items()]


def _series(digest: str, group: list[Header]) -> Series:
    first = group[0].fields
    study = str(first.get("StudyInstanceUID", digest))
    return Series(
        digest=digest,
        study=study,
        # Anonymised exports leave the patient's ID empty: then every study is taken for a person.
        patient=str(first.get("PatientID", "") or study),
        moment=f"{first.get('StudyDate', '')}{first.get('StudyTime', '')}",
        folder=os.path.commonpath([os.path.dirname(header.name) for header in group]),  # noqa: PTH120 - archive names
        number=int(first.get("SeriesNumber", 0) or 0),
        images=sum(int(header.fields.get("NumberOfFrames", 1) or 1) for header in group),
        modality=str(first.get("Modality", "")),
        description=f"{first.get('SeriesDescription', '')} {first.get('ProtocolName', '')}",
        volumetric=str(first.get("MRAcquisitionType", "")) == "3D",
        enhanced=bool(first.get("ContrastBolusAgent", "")),
        echo_time=float(first.get("EchoTime", 0) or 0),
        repetition_time=float(first.get("RepetitionTime", 0) or 0),
    )


def choose_t1w(series: Iterable[Series]) -> Series | None:
    """Choose the T1-weighted series of one visit by the rules at the top of this file; None if there is none."""
    usable = [one for one in series if _is_usable(one)]
    candidates = [one for one in usable if _T1.search(one.description)] or [
        one for one in usable if _has_t1_timing(one)
    ]
    return max(candidates, key=lambda one: (one.images, one.number), default=None)


def _is_usable(series: Series) -> bool:
    return (
        series.modality == "MR"
        and series.images >= _MINIMUM_IMAGES
        and not series.enhanced
        and not _OTHER.search(series.description)
    )


def _has_t1_timing(series: Series) -> bool:
    return series.volumetric and 0 < series.echo_time <= 8 and 0 < series.repetition_time <= 3000
