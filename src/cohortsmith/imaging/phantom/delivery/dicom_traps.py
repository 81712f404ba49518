"""What a hospital's archive sends beside one clean T1-weighted series per study, and what must become of it."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from cohortsmith.imaging.phantom.delivery.dicom import Series, series_files
from cohortsmith.imaging.phantom.delivery.files import Files
from cohortsmith.imaging.phantom.delivery.traps import Decision, Expected, Trap, convert, reject
from cohortsmith.imaging.volume import Volume

MOMENT = datetime(2019, 5, 6, 9, 0)


class Sent(NamedTuple):
    """A series as it was sent. folders: its files are dealt out among them. copies: of every file."""

    series: Series
    slices: int = 40
    folders: tuple[str, ...] = ("ST000001",)
    copies: int = 1


def sent_files(sent: Sent, volume: Volume, first: int) -> Files:
    """Give a series' files, numbered from `first` without regard to series; the volume has its slices."""
    contents = series_files(sent.series, volume) * sent.copies
    return {
        f"DICOM/{sent.folders[index % len(sent.folders)]}/IM{first + index:06d}": content
        for index, content in enumerate(contents)
    }


def study_files(trap: Trap, pixels: int = 8) -> Files:
    """Give a trap's whole study, with tiny ramps for images."""
    files: Files = {}
    for sent in trap.subjects:
        data = np.arange(pixels * pixels * sent.slices, dtype=np.float32).reshape(pixels, pixels, sent.slices)
        files |= sent_files(sent, Volume(data, np.diag([4.0, 4.0, 4.0, 1.0])), first=len(files))
    return files


def _trap(number: int, name: str, lesson: str, sent: dict[Sent, Expected]) -> Trap:
    """Give a trap a patient and a day of its own; candidates are called by the number of their series."""
    moment = MOMENT + timedelta(days=number)
    own = tuple(
        one._replace(series=one.series._replace(patient=f"PHANTOM{number:03d}", moment=moment, number=place))
        for place, one in enumerate(sent, 1)
    )
    decisions = tuple(Decision(str(place), *wanted) for place, wanted in enumerate(sent.values(), 1))
    return Trap(name, lesson, own, decisions)


def _series(description: str, **more: Any) -> Series:
    return Series("", MOMENT, 0, description)._replace(**more)


T1W = _series("T1 MPRAGE sag")
ONLY, BEST = convert("dicom.only_t1w", "01", "n/a"), convert("dicom.most_images", "01", "n/a")

EVERYTHING = _trap(
    1,
    "a localizer, T2, diffusion and two T1 series",
    "of several T1-weighted series of equal length the latest is taken: a repeated scan replaces a failed one",
    {
        Sent(_series("localizer", acquisition="2D"), slices=3): reject("dicom.not_t1w"),
        Sent(_series("T2 SPACE sag", echo_time=400.0)): reject("dicom.not_t1w"),
        Sent(_series("DWI b1000", acquisition="2D", echo_time=90.0)): reject("dicom.not_t1w"),
        Sent(T1W): reject("dicom.earlier_repeat"),
        Sent(T1W._replace(echo_time=2.9)): BEST,
    },
)
SHORTER = _trap(
    2,
    "a repeated series that was stopped",
    "the series of most images is taken, though it is not the latest",
    {Sent(T1W): BEST, Sent(T1W, slices=34): reject("dicom.fewer_images")},
)
TOO_SHORT = _trap(
    3,
    "a T1 series of a few slices",
    "a series of less than 32 images is no whole head",
    {Sent(T1W, slices=20): reject("dicom.too_few_images")},
)
CONTRAST = _trap(
    4,
    "a T1 series with contrast agent",
    "a scan with contrast agent is not taken, though it is the latest",
    {Sent(T1W): ONLY, Sent(_series("T1 MPRAGE sag", contrast="gadolinium")): reject("dicom.contrast")},
)
SENT_TWICE = _trap(
    5,
    "every file twice, with the same identifiers",
    "a copy is not a second slice",
    {Sent(T1W, copies=2): ONLY},
)
TWICE_AND_LONGER = _trap(
    6,
    "a short series sent twice beside a whole one",
    "copies do not make a series longer",
    {Sent(T1W): BEST, Sent(T1W, slices=34, copies=2): reject("dicom.fewer_images")},
)
SPLIT = _trap(
    7,
    "a series in two folders",
    "files belong together by their series, not by their folder",
    {Sent(T1W, folders=("ST000001", "ST000002")): ONLY},
)
NAMELESS = _trap(
    8,
    "series without names",
    "three-dimensional with short echo and repetition time is T1-weighted",
    {Sent(_series("")): ONLY, Sent(_series("", echo_time=100.0)): reject("dicom.not_t1w")},
)

DICOM_TRAPS = tuple(trap for trap in list(globals().values()) if isinstance(trap, Trap))
