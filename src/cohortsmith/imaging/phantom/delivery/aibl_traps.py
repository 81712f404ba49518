"""What AIBL delivers beside one clean image per visit, and what must become of it."""

from datetime import date
from typing import Any

from cohortsmith.imaging.phantom.delivery.aibl import SECOND_PASS, UNKNOWN, Examination, Image, Subject
from cohortsmith.imaging.phantom.delivery.traps import Decision, Expected, Trap, convert, reject

DAY, LATER = date(2008, 3, 6), date(2009, 9, 10)


def _trap(
    number: int,
    name: str,
    lesson: str,
    images: tuple[Image, ...],
    expected: dict[int, Expected],
    *,
    visits: tuple[Examination, ...] = (Examination("bl", "03/06/2008"),),
    rid: str = "",
    **more: Any,
) -> Trap:
    """Give a trap a person and image numbers of its own; `expected` is by the images' own small numbers, 0 for none."""
    first = 980_000 + 100 * number
    subject = Subject(
        rid or f"99{number:02d}",
        visits,
        tuple(image._replace(image=first + image.image) for image in images),
        **more,
    )
    decisions = tuple(Decision(f"I{first + image}" if image else "", *wanted) for image, wanted in expected.items())
    return Trap(name, lesson, (subject,), decisions)


TAKEN = convert("aibl.dated")

PADDED_DATE = _trap(
    1,
    "a date with zeros",
    "the folder's day is looked up in the tables of scans; its row names the visit",
    (Image(1, LATER),),
    {1: convert("aibl.dated", "M018")},
    visits=(Examination("bl", ""), Examination("m18", "09/10/2009")),
)
BARE_DATE = _trap(
    2,
    "a date without zeros",
    "3/6/2008 and 03/06/2008 are the same day",
    (Image(1, DAY),),
    {1: TAKEN},
    visits=(Examination("bl", "3/6/2008"),),
)
OTHER_FIELD_TABLE = _trap(
    3,
    "a scan of 1.5 T",
    "both tables of scans are looked at",
    (Image(1, DAY, field_strength=1.5),),
    {1: TAKEN},
    visits=(Examination("bl", "03/06/2008", field_strength=1.5),),
)
WRONG_DATE = _trap(
    4,
    "a folder of a day that no row has",
    "the image is set aside; the row's own image is missing",
    (Image(1, LATER),),
    {1: reject("aibl.no_visit"), 0: reject("aibl.not_on_disk")},
)
UNKNOWN_DATE = _trap(
    5,
    "an unknown day",
    "-4 is no day: the image is set aside; the row's own image is missing",
    (Image(1, DAY),),
    {1: reject("aibl.no_visit"), 0: reject("aibl.not_on_disk")},
    visits=(Examination("bl", str(UNKNOWN)),),
)
TWO_IMAGES = _trap(
    6,
    "two images of one visit",
    "the first found is taken",
    (Image(1, DAY), Image(2, DAY, "MPRAGE_ADNI_confirmed_repeat")),
    {1: TAKEN, 2: reject("aibl.later_image")},
)
OTHER_SEQUENCE = _trap(
    7,
    "a T1-like name that is not one of the accepted",
    "only the exact names are accepted",
    (Image(1, DAY), Image(2, DAY, "MPRAGE_ADNI_not_confirmed")),
    {1: TAKEN, 2: reject("aibl.other_sequence")},
)
WITHOUT_DATE = _trap(
    8,
    "a sequence of the second pass",
    "its day is not looked up: it is the baseline scan",
    (Image(1, LATER, SECOND_PASS),),
    {1: convert("aibl.undated")},
    visits=(Examination("bl", ""),),
)
# Only these two are known by number: the person and the images are invented all the same.
LATE_SECOND_PASS = _trap(
    9,
    "the second pass of persons 342 and 557",
    "it is the scan of month 54",
    (Image(1, LATER, SECOND_PASS),),
    {1: convert("aibl.undated", "M054")},
    visits=(Examination("bl", ""), Examination("m54", "")),
    rid="342",
)
IGNORED_FOLDER = _trap(
    10,
    "the folder 0151083",
    "it is always set aside",
    (Image(1, DAY),),
    {1: reject("aibl.ignored_folder")},
    rid="0151083",
)
ROW_WITHOUT_FOLDER = _trap(
    11,
    "a row of a scan without a folder",
    "what is not on disk is set aside",
    (),
    {0: reject("aibl.not_on_disk")},
)
NOTHING_KNOWN = _trap(
    12,
    "-4 in every column",
    "diagnosis, sex, site, age and MMSE are unknown; the scan is converted",
    (Image(1, DAY),),
    {1: convert("aibl.dated", "M000", "n/a")},
    visits=(Examination("bl", "03/06/2008", UNKNOWN, UNKNOWN),),
    born=UNKNOWN,
    sex=UNKNOWN,
    site=UNKNOWN,
)
CONVERTER = _trap(
    13,
    "a later visit without a scan, with another diagnosis",
    "the scan is converted; that the diagnosis did not last is left to the choice of the cohort",
    (Image(1, DAY),),
    {1: TAKEN},
    visits=(Examination("bl", "03/06/2008"), Examination("m18", "", 2)),
)

AIBL_TRAPS = tuple(trap for trap in list(globals().values()) if isinstance(trap, Trap))
# What the embedded study plants: nothing of these is converted.
REJECTED_BY_INGESTION = (WRONG_DATE, ROW_WITHOUT_FOLDER)
