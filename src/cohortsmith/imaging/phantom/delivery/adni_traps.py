"""What ADNI delivers beside one clean image per visit, and what must become of it."""

from datetime import date, timedelta
from typing import Any

from cohortsmith.imaging.phantom.delivery.adni import (
    ACCELERATED,
    N3,
    N3M,
    RAW,
    SCALED,
    SCREENING,
    Examination,
    Image,
    Judgement,
    Subject,
)
from cohortsmith.imaging.phantom.delivery.traps import Decision, Expected, Trap, convert, reject

BASELINE = date(2006, 3, 6)
ADNI3: dict[str, Any] = {"visit": "ADNI Screening", "field_strength": 3.0, "original": True}


def day_of(month: float) -> date:
    """Give the day a number of months after baseline."""
    return BASELINE + timedelta(days=round(30.4375 * month))


def _visits(*codes: str, diagnosis: str = "CN", protocol: str = "ADNI1") -> tuple[Examination, ...]:
    months = [0 if code == "bl" else int(code[1:]) for code in codes]
    return tuple(Examination(code, day_of(at), diagnosis, protocol) for code, at in zip(codes, months, strict=True))


def _image(number: int, sequence: str = N3, *, series: int = 0, month: float = 0, **more: Any) -> Image:
    return Image(series or number, number, sequence, day_of(month), **more)


def _raw(number: int, sequence: str = RAW, **more: Any) -> Image:
    return _image(number, sequence, original=True, **more)


def _trap(
    number: int,
    name: str,
    lesson: str,
    images: tuple[Image, ...],
    expected: dict[int, Expected],
    *,
    ptid: str = "",
    visits: tuple[Examination, ...] = (),
    **more: Any,
) -> Trap:
    """Give a trap a person and archive numbers of its own; `expected` is by the images' small numbers, 0 for none."""
    first = 990_000 + 100 * number
    subject = Subject(
        ptid or f"909_S_99{number:02d}",
        visits or _visits("bl", protocol=more.get("protocol", "ADNI1")),
        tuple(image._replace(series=first + image.series, image=first + image.image) for image in images),
        quality=tuple((first + series, passed) for series, passed in more.pop("quality", ())),
        judgements=tuple(one._replace(image=first + one.image) for one in more.pop("judgements", ())),
        **more,
    )
    decisions = tuple(Decision(f"I{first + image}" if image else "", *wanted) for image, wanted in expected.items())
    return Trap(name, lesson, (subject,), decisions)


N3_TAKEN, SCALED_TAKEN, RAW_TAKEN = convert("adni.n3"), convert("adni.scaled"), convert("adni.raw")

SEVERAL_SERIES = _trap(
    1,
    "several series at one visit",
    "the lowest series number is taken: the first acquired",
    (_image(1), _image(2, f"MPR-R{N3.removeprefix('MPR')}")),
    {1: N3_TAKEN, 2: reject("adni.later_series")},
)
IDS_OUT_OF_ORDER = _trap(
    2,
    "numbers out of order",
    "series are ordered by the series' number, not by the image's and not by the row",
    (_image(1, series=7), _image(9, series=3)),
    {9: N3_TAKEN, 1: reject("adni.later_series")},
)
FAILED_QUALITY = _trap(
    3,
    "first series failed quality control",
    "a series with PASS other than 1 is dropped before anything is chosen",
    (_image(1), _image(2)),
    {1: reject("adni.failed_quality"), 2: N3_TAKEN},
    quality=((1, False), (2, True)),
)
ALL_FAILED = _trap(
    4,
    "every series failed quality control",
    "the visit has no image",
    (_image(1), _image(2)),
    {1: reject("adni.failed_quality"), 2: reject("adni.failed_quality")},
    quality=((1, False), (2, False)),
)
UNJUDGED = _trap(
    5,
    "only the later series was judged",
    "a series without a row on its quality is kept",
    (_image(1), _image(2)),
    {1: N3_TAKEN, 2: reject("adni.later_series")},
    quality=((2, True),),
)
BOTH_FIELDS_ADNI1 = _trap(
    6,
    "1.5 T and 3 T at one visit of ADNI1",
    "1.5 T is kept, though the 3 T series was the first",
    (_image(1, field_strength=3.0), _image(2)),
    {1: reject("adni.other_field_strength"), 2: N3_TAKEN},
)
BOTH_FIELDS_ADNI2 = _trap(
    7,
    "1.5 T and 3 T at one visit of ADNI2",
    "3 T is kept, though the 1.5 T series was the first",
    (_image(1, visit=SCREENING["ADNI2"]), _image(2, visit=SCREENING["ADNI2"], field_strength=3.0)),
    {1: reject("adni.other_field_strength"), 2: N3_TAKEN},
    protocol="ADNI2",
)
N3_AND_SCALED = _trap(
    8,
    "N3 and Scaled of one series",
    "the N3 image is taken",
    (_image(1, SCALED, series=5), _image(2, series=5)),
    {2: N3_TAKEN, 1: reject("adni.other_stage")},
)
ONLY_SCALED = _trap(
    9,
    "only Scaled was delivered and named",
    "the Scaled image is taken where no N3 image is",
    (_image(1, SCALED),),
    {1: SCALED_TAKEN},
)
N3_NOT_DELIVERED = _trap(
    10,
    "N3 named but not delivered, Scaled delivered",
    "the Scaled image is taken where the N3 image is not on disk",
    (_image(1, series=5, delivered=False), _image(2, SCALED, series=5)),
    {1: reject("adni.not_on_disk"), 2: SCALED_TAKEN},
)
N3_WITHOUT_ROW = _trap(
    11,
    "Scaled named, only its N3 delivered",
    "the row of the Scaled image leads to the N3 image of the same series",
    (_image(1, SCALED, series=5, delivered=False), _image(2, series=5, listed=False)),
    {1: reject("adni.not_on_disk"), 2: N3_TAKEN},
)
ONLY_RAW = _trap(
    12,
    "only the original",
    "without any processed image the original is taken",
    (_raw(1),),
    {1: RAW_TAKEN},
)
PROCESSED_NOT_DELIVERED = _trap(
    13,
    "N3 and Scaled named, only the original delivered",
    "the original is taken where neither N3 nor Scaled is on disk",
    (_image(1, series=5, delivered=False), _image(2, SCALED, series=5, delivered=False), _raw(3, series=5)),
    {1: reject("adni.not_on_disk"), 2: reject("adni.not_on_disk"), 3: RAW_TAKEN},
)
PROCESSED_AND_RAW = _trap(
    14,
    "original and N3 of one series",
    "the processed image is taken",
    (_raw(1, series=5), _image(2, series=5)),
    {2: N3_TAKEN, 1: reject("adni.other_stage")},
)
ONLY_N3M = _trap(
    15,
    "N3m instead of N3",
    "without a Scaled image the N3m image is taken",
    (_image(1, N3M),),
    {1: N3_TAKEN},
)
SCALED_TWICE = _trap(
    16,
    "Scaled_2 of the same series",
    "a second scaling is no candidate for the visit",
    (_image(1, f"{SCALED}_2", series=5), _image(2, series=5)),
    {2: N3_TAKEN, 1: reject("adni.other_stage")},
)
REPEATED = _trap(
    17,
    "the first original says that it is a repetition",
    "at 1.5 T the first original is taken whose name lacks 'repeat'",
    (_raw(1, "MP-RAGE REPEAT"), _raw(2)),
    {1: reject("adni.later_series"), 2: RAW_TAKEN},
)
SECOND_IN_NAME = _trap(
    18,
    "an original with a 2 in its name",
    "an original MPRAGE with a 2 in its name is no candidate for the visit",
    (_raw(1, "MPRAGE 2"),),
    {1: reject("adni.other_sequence")},
)
SPOILED = _trap(
    19,
    "a spoiled gradient echo, and an accelerated one",
    "an original SPGR without 'acc' in its name is taken, one with it is not",
    (_raw(1, "IR-SPGR ACC"), _raw(2, "IR-SPGR")),
    {1: reject("adni.other_sequence"), 2: RAW_TAKEN},
)
CLOSEST_DATE = _trap(
    20,
    "a visit's name that no visit has",
    "what is left is paired with the visit that is left and closest in time",
    (_image(1), _image(2, visit="No Visit Defined", month=13)),
    {1: N3_TAKEN, 2: convert("adni.n3", "M012")},
    visits=_visits("bl", "m12", "m24"),
)
MIDPOINT = _trap(
    21,
    "a scan in the middle of two visits, far from both",
    "more than 90 days off and within 30 days of the midpoint, the earlier visit is taken",
    (_image(1), _image(2, visit="No Visit Defined", month=18.5)),
    {1: N3_TAKEN, 2: convert("adni.n3", "M012")},
    visits=_visits("bl", "m12", "m24"),
)
BEYOND_MIDPOINT = _trap(
    22,
    "a scan far from two visits, and from their midpoint",
    "more than 90 days off but more than 30 days from the midpoint, the closest visit is taken",
    (_image(1), _image(2, visit="No Visit Defined", month=20)),
    {1: N3_TAKEN, 2: convert("adni.n3", "M024")},
    visits=_visits("bl", "m12", "m24"),
)
NEAR_MIDPOINT = _trap(
    23,
    "a scan near the midpoint of two visits that are near each other",
    "not more than 90 days off, the closest visit is taken",
    (_image(1), _image(2, visit="No Visit Defined", month=9.2)),
    {1: N3_TAKEN, 2: convert("adni.n3", "M012")},
    visits=_visits("bl", "m06", "m12"),
)
NAME_BEFORE_DATE = _trap(
    24,
    "a visit's name that its date belies",
    "the name of the visit is believed, not the date",
    (_image(1), _image(2, visit="ADNI1/GO Month 6", month=11)),
    {1: N3_TAKEN, 2: convert("adni.n3", "M006")},
    visits=_visits("bl", "m06", "m12"),
)
LATE_NAMES = _trap(
    25,
    "ADNI1 visits carried into ADNIGO",
    "visits from month 54 on are named after ADNIGO",
    (
        _image(1),
        _image(2, visit="ADNI1/GO Month 48", month=53),
        _image(3, visit="ADNIGO Month 54", month=49),
    ),
    {1: N3_TAKEN, 2: convert("adni.n3", "M048"), 3: convert("adni.n3", "M054")},
    visits=_visits("bl", "m48", "m54"),
)
YEARS = _trap(
    26,
    "visits counted in years",
    "in ADNI2 month 12 is named year 1",
    (
        _image(1, visit=SCREENING["ADNI2"], field_strength=3.0),
        _image(2, visit="ADNI2 Year 1 Visit", month=20, field_strength=3.0),
    ),
    {1: N3_TAKEN, 2: convert("adni.n3", "M012")},
    visits=_visits("bl", "m12", "m24", protocol="ADNI2"),
    protocol="ADNI2",
)
NO_VISIT_LEFT = _trap(
    27,
    "more scanned visits than visits",
    "a scan for which no visit is left is set aside",
    (_image(1), _image(2, visit="ADNI1/GO Month 6", month=6)),
    {1: N3_TAKEN, 2: reject("adni.no_visit")},
)
BASELINE_NAME = _trap(
    28,
    "a visit called ADNI Baseline",
    "such rows are dropped, though a visit is left",
    (_image(1), _image(2, visit="ADNI Baseline", month=6)),
    {1: N3_TAKEN, 2: reject("adni.no_visit")},
    visits=_visits("bl", "m06"),
)
# The list names real visits: the person and the images are invented all the same.
EXCEPTION = _trap(
    29,
    "a visit of the published list of exceptions",
    "its slices are unevenly spaced: it is set aside, the person's other visits are not",
    (_image(1), _image(2, visit="ADNI1/GO Month 18", month=18)),
    {1: N3_TAKEN, 2: reject("adni.exception_list")},
    ptid="100_S_0995",
    visits=_visits("bl", "m18"),
)
FOLDER_WITHOUT_ROW = _trap(
    30,
    "an image folder that no row names",
    "the rows of MPRAGEMETA are the candidates: without one visit and field strength are not known",
    (_image(1, listed=False),),
    {1: reject("adni.no_row")},
)
PERSON_WITHOUT_ROW = _trap(
    31,
    "a person that ADNIMERGE does not know",
    "nothing says when or in what state the person was seen",
    (_image(1),),
    {1: reject("adni.no_subject")},
    listed=False,
)
ROW_WITHOUT_FOLDER = _trap(
    32,
    "rows without any folder",
    "what is not on disk is set aside",
    (_image(1, series=5, delivered=False), _image(2, SCALED, series=5, delivered=False)),
    {1: reject("adni.not_on_disk"), 2: reject("adni.not_on_disk")},
)
MEMORY_CONCERN = _trap(
    33,
    "significant memory concern",
    "the visit's diagnosis is CN; the group at baseline is SMC and is left to the choice of the cohort",
    (_image(1),),
    {1: N3_TAKEN},
    group="SMC",
)
CONVERTER = _trap(
    34,
    "a later visit without a scan, with another diagnosis",
    "the scan is converted; that the diagnosis did not last is left to the choice of the cohort",
    (_image(1),),
    {1: N3_TAKEN},
    visits=(*_visits("bl"), *_visits("m24", diagnosis="MCI")),
)
NO_DIAGNOSIS = _trap(
    35,
    "no diagnosis at the scanned visit",
    "the diagnosis is unknown, whatever it was at other visits",
    (_image(1, visit="ADNI1/GO Month 12", month=12),),
    {1: convert("adni.n3", "M012", "n/a")},
    visits=(*_visits("bl"), *_visits("m12", diagnosis="")),
)
DUPLICATED_VISIT = _trap(
    36,
    "a visit twice in ADNIMERGE",
    "the first row is kept",
    (_image(1),),
    {1: N3_TAKEN},
    visits=(*_visits("bl"), *_visits("bl", diagnosis="Dementia")),
)
DUPLICATED_ROW = _trap(
    37,
    "an image twice in MPRAGEMETA",
    "it is one candidate",
    (_image(1), _image(1, delivered=False)),
    {1: N3_TAKEN},
)
DELIVERED_TWICE = _trap(
    38,
    "an image twice on disk",
    "one is taken, the copy set aside",
    (_image(1), _image(1, month=1, listed=False)),
    {1: N3_TAKEN, 0: reject("adni.duplicate")},
)
ADNI3_ACCELERATED = _trap(
    40,
    "ADNI3: accelerated, and not",
    "the accelerated original is taken",
    (_image(1, "Sagittal MPRAGE", **ADNI3), _image(2, ACCELERATED, **ADNI3)),
    {1: reject("adni.other_sequence"), 2: RAW_TAKEN},
    protocol="ADNI3",
)
ADNI3_ONLY_SLOW = _trap(
    41,
    "ADNI3: not accelerated",
    "there is no candidate for the visit",
    (_image(1, "Sagittal MPRAGE", **ADNI3),),
    {1: reject("adni.other_sequence")},
    protocol="ADNI3",
)
ADNI3_NOT_CORRECTED = _trap(
    42,
    "ADNI3: a name that ends in _ND",
    "an image without correction of distortion is no candidate",
    (_image(1, f"{ACCELERATED}_ND", **ADNI3), _image(2, ACCELERATED, **ADNI3)),
    {1: reject("adni.other_sequence"), 2: RAW_TAKEN},
    protocol="ADNI3",
)
MAYO_SELECTED = _trap(
    43,
    "3 T: one original is selected",
    "the selected one is taken, whatever its quality and number",
    (_image(1, ACCELERATED, **ADNI3), _image(2, ACCELERATED, **ADNI3)),
    {1: reject("adni.lower_quality"), 2: RAW_TAKEN},
    protocol="ADNI3",
    judgements=(Judgement(1, 1), Judgement(2, 2, selected=True)),
)
MAYO_FAILED = _trap(
    44,
    "3 T: the first original failed",
    "quality 4 is a failure",
    (_image(1, ACCELERATED, **ADNI3), _image(2, ACCELERATED, **ADNI3)),
    {1: reject("adni.failed_quality"), 2: RAW_TAKEN},
    protocol="ADNI3",
    judgements=(Judgement(1, 4), Judgement(2, 3)),
)
MAYO_ALL_FAILED = _trap(
    45,
    "3 T: every original failed",
    "the visit has no image, and the run goes on",
    (_image(1, ACCELERATED, **ADNI3), _image(2, ACCELERATED, **ADNI3)),
    {1: reject("adni.failed_quality"), 2: reject("adni.failed_quality")},
    protocol="ADNI3",
    judgements=(Judgement(1, 4), Judgement(2, 4)),
)
MAYO_BEST = _trap(
    46,
    "3 T: none is selected",
    "the lowest positive quality is taken; -1 only if there is no other",
    (_image(1, ACCELERATED, **ADNI3), _image(2, ACCELERATED, **ADNI3), _image(3, ACCELERATED, **ADNI3)),
    {1: reject("adni.lower_quality"), 2: reject("adni.lower_quality"), 3: RAW_TAKEN},
    protocol="ADNI3",
    judgements=(Judgement(1, 3), Judgement(2, -1), Judgement(3, 1)),
)
MAYO_UNJUDGED = _trap(
    47,
    "3 T: what was judged failed",
    "an original that nobody judged is taken",
    (_image(1, ACCELERATED, **ADNI3), _image(2, ACCELERATED, **ADNI3)),
    {1: reject("adni.failed_quality"), 2: RAW_TAKEN},
    protocol="ADNI3",
    judgements=(Judgement(1, 4),),
)
MAYO_OTHER_FIELD = _trap(
    48,
    "every 3 T original failed, there is one of 1.5 T",
    "the other field strength is taken",
    (
        _raw(1, visit=SCREENING["ADNI2"], field_strength=3.0),
        _raw(2, visit=SCREENING["ADNI2"]),
    ),
    {1: reject("adni.failed_quality"), 2: RAW_TAKEN},
    protocol="ADNI2",
    judgements=(Judgement(1, 4),),
)
MAYO_TIE = _trap(
    49,
    "3 T: equal quality",
    "the first is taken whose name lacks 'repeat'",
    (_image(1, f"{ACCELERATED} REPEAT", **ADNI3), _image(2, ACCELERATED, **ADNI3)),
    {1: reject("adni.later_series"), 2: RAW_TAKEN},
    protocol="ADNI3",
    judgements=(Judgement(1, 2), Judgement(2, 2)),
)

ADNI_TRAPS = tuple(trap for trap in list(globals().values()) if isinstance(trap, Trap))
# What the embedded study plants: nothing of these is converted, or it leaves with the choice of the cohort.
REJECTED_BY_INGESTION = (ALL_FAILED, PERSON_WITHOUT_ROW, ROW_WITHOUT_FOLDER, NO_DIAGNOSIS)
REJECTED_FROM_COHORT = (MEMORY_CONCERN, CONVERTER)
