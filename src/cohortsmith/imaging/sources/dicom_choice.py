"""The rules that choose one T1-weighted series of a visit, and say of every other why not.

A series is a candidate if it is MR, without contrast agent, of at least 32 images, and its description or protocol
  1. names a T1-weighted sequence (T1, MPRAGE, BRAVO, SPGR, TFE, TFL) and none of localizer, T2, FLAIR, diffusion,
     BOLD, perfusion, angiography, field map, reformat (MPR), contrast; or, if no series of the visit is named so,
  2. names none of these but its timing is T1-weighted: 3-D, echo time <= 8 ms, repetition time <= 3000 ms.
Computed images (ImageType DERIVED or SECONDARY) are taken only where there are no original ones.
Of several candidates the one with most images is taken, then the latest (a repeated scan replaces a failed one).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from cohortsmith.imaging.sources.dicom_series import Series

_T1 = re.compile(r"t1|mp-?rage|bravo|spgr|tfe|tfl", re.IGNORECASE)
_CONTRAST = re.compile(r"gado|contrast|\+c\b|post|(?<![a-z])(gd|ce)(?![a-z])", re.IGNORECASE)
_OTHER = re.compile(
    r"t2|flair|loc|scout|survey|dwi|dti|diff|adc|bold|fmri|epi|asl|perf|swi|tof|angio|field|phase|mpr(?!age)|"
    r"(?<![a-z])pd(?![a-z])",
    re.IGNORECASE,
)
_MINIMUM_IMAGES = 32


class Choice(NamedTuple):
    """What becomes of one series, by which rule, and the rule in words."""

    series: Series
    is_chosen: bool
    rule: str
    reason: str


def judge_visit(series: Sequence[Series]) -> list[Choice]:
    """Judge all series of one visit; at most one is chosen."""
    refused = [Choice(one, False, *why) for one in series if (why := _unfit(one)) is not None]
    fit = [one for one in series if _unfit(one) is None]
    named = [one for one in fit if _T1.search(one.description)]
    timed = [one for one in fit if one not in named and _has_t1_timing(one)]
    neither = [one for one in fit if one not in named and one not in timed]
    refused += [
        Choice(one, False, "dicom.not_t1w", "neither its name nor its timing is T1-weighted") for one in neither
    ]
    if named:
        refused += [
            Choice(one, False, "dicom.not_t1w", "another series of the visit is named T1-weighted") for one in timed
        ]
    return refused + _best(named or timed)


def choose_t1w(series: Sequence[Series]) -> Series | None:
    """Give the series that is chosen, None if there is none."""
    return next((choice.series for choice in judge_visit(series) if choice.is_chosen), None)


def _unfit(series: Series) -> tuple[str, str] | None:
    if not series.digest:
        return "dicom.no_series_uid", "the files have no SeriesInstanceUID"
    if series.modality != "MR":
        return "dicom.not_mr", "no magnetic resonance images"
    if series.enhanced or _CONTRAST.search(series.description):
        return "dicom.contrast", "with contrast agent"
    if _OTHER.search(series.description):
        return "dicom.not_t1w", "named as another kind of series"
    if series.images < _MINIMUM_IMAGES:
        return (
            "dicom.too_few_images",
            f"{series.images} images{_dropped(series)}; at least {_MINIMUM_IMAGES} are needed",
        )
    return None


def _has_t1_timing(series: Series) -> bool:
    return series.volumetric and 0 < series.echo_time <= 8 and 0 < series.repetition_time <= 3000


def _best(candidates: Sequence[Series]) -> list[Choice]:
    if not candidates:
        return []
    originals = [one for one in candidates if one.original]
    best = max(originals or candidates, key=lambda one: (one.images, one.number, one.identity))
    return [_against(one, best, len(candidates), bool(originals)) for one in candidates]


def _against(one: Series, best: Series, count: int, has_original: bool) -> Choice:
    if one is best:
        rule = "dicom.only_t1w" if count == 1 else "dicom.most_images"
        reason = "the only T1-weighted series" if count == 1 else f"most images, then the latest, of {count} series"
        return Choice(one, True, rule, f"{reason} of the visit{_dropped(one)}")
    if has_original and not one.original:
        return Choice(one, False, "dicom.derived", "computed from other images")
    if one.images < best.images:
        return Choice(one, False, "dicom.fewer_images", f"{one.images} images, another series has {best.images}")
    return Choice(one, False, "dicom.earlier_repeat", "a later series of the visit repeats it")


def _dropped(series: Series) -> str:
    return f"; {series.repeats} copies of its images were left out" if series.repeats else ""
