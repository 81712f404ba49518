"""Which of a visit's images of ADNI is taken, and why the others are left."""

import pandas as pd
import pytest

from cohortsmith.imaging.sources.adni_images import folder_form
from cohortsmith.imaging.sources.adni_selection import CHOSEN, select_images
from cohortsmith.imaging.sources.field_map import AdniMap, read_field_map

NAMES = read_field_map(AdniMap, "adni").images
N3 = "MPR; GradWarp; B1 Correction; N3"
SCALED = N3 + "; Scaled"
RAW = "MP-RAGE"
ACCELERATED = "Accelerated Sagittal MPRAGE"


def image(number: int, series: int | str, sequence: str, tesla: float = 3.0, on_disk: bool = True) -> dict[str, object]:
    return {
        "image": str(number),
        "series": str(series),
        "sequence": sequence,
        "field_strength": tesla,
        "source": f"/{number}" if on_disk else "",
        "place": f"{number}",
    }


def decide(
    *rows: dict[str, object],
    protocol: str = "ADNI2",
    failed: tuple[int, ...] = (),
    mayo: dict[int, tuple[int, int]] | None = None,
) -> dict[int, str]:
    """Give image number -> rule. failed: series. mayo: image -> (selected, quality)."""
    frame = pd.DataFrame(rows).assign(person="941_S_0001", code="m12", protocol=protocol)
    frame["sequence"] = folder_form(frame["sequence"], NAMES.replaced)
    frame["processed"] = frame["sequence"].str.contains(NAMES.processed)
    frame["scanned"] = pd.Timestamp("2011-05-01")
    series = pd.DataFrame(
        {"series": [str(one) for one in failed], "passed": "0"}, columns=["series", "passed"], dtype=str
    )
    verdicts = [(str(number), str(selected), str(grade)) for number, (selected, grade) in (mayo or {}).items()]
    grades = pd.DataFrame(verdicts, columns=["image", "selected", "quality"], dtype=str)
    rules = select_images(frame, series, grades, NAMES)
    return {int(number): rule for number, rule in zip(frame["image"], rules, strict=True)}


def test_the_corrected_unscaled_image_of_the_first_series_is_taken() -> None:
    rules = decide(
        image(1, 20, N3),
        image(2, 20, SCALED),
        image(3, 20, RAW),
        image(4, 9, N3),
        image(5, 9, SCALED),
        image(6, 9, RAW),
    )
    assert rules == {
        1: "adni.later_series",
        2: "adni.later_series",
        3: "adni.processed_image",
        4: "adni.n3",
        5: "adni.other_stage",
        6: "adni.other_stage",
    }


def test_the_scaled_image_stands_in_and_then_the_raw_one_of_the_same_series() -> None:
    scaled = decide(image(1, 20, N3, on_disk=False), image(2, 20, SCALED), image(3, 20, RAW))
    assert scaled == {1: "adni.not_on_disk", 2: "adni.scaled", 3: "adni.other_stage"}
    raw = decide(image(2, 20, SCALED, on_disk=False), image(3, 20, RAW), image(4, 21, RAW))
    assert raw == {2: "adni.not_on_disk", 3: "adni.raw", 4: "adni.processed_image"}


def test_a_series_that_is_not_on_disk_is_not_replaced_by_another_one() -> None:
    rules = decide(image(1, 20, SCALED, on_disk=False), image(2, 21, SCALED))
    assert rules == {1: "adni.not_on_disk", 2: "adni.later_series"}


def test_scaled_comes_before_n3m_and_n3m_before_a_lonely_n3() -> None:
    assert decide(image(1, 5, "MT1; GradWarp; N3m"), image(2, 6, SCALED))[2] == "adni.scaled"
    assert decide(image(1, 7, "MT1; GradWarp; N3m"), image(2, 6, N3)) == {1: "adni.n3", 2: "adni.processed_image"}
    assert decide(image(1, 7, RAW), image(2, 6, N3)) == {1: "adni.processed_image", 2: "adni.n3"}


@pytest.mark.parametrize(("protocol", "taken"), [("ADNI1", 1), ("ADNIGO", 2), ("ADNI2", 2)])
def test_of_two_field_strengths_each_protocol_prefers_its_own(protocol: str, taken: int) -> None:
    rules = decide(image(1, 30, SCALED, 1.5), image(2, 31, SCALED, 3.0), protocol=protocol)
    assert rules[taken] == "adni.scaled" and rules[3 - taken] == "adni.other_field_strength"


def test_the_other_field_strength_is_taken_where_it_is_the_only_one() -> None:
    assert decide(image(1, 30, SCALED, 3.0), protocol="ADNI1") == {1: "adni.scaled"}


def test_a_failed_series_is_left_out_with_all_its_stages() -> None:
    rules = decide(image(1, 8, N3), image(2, 8, SCALED), image(3, 9, SCALED), failed=(8,))
    assert rules == {1: "adni.failed_quality", 2: "adni.failed_quality", 3: "adni.scaled"}


def test_where_all_failed_there_is_no_image_and_no_error() -> None:
    assert set(decide(image(1, 8, SCALED), image(2, 8, RAW), failed=(8,)).values()) == {"adni.failed_quality"}
    lost = decide(image(1, 8, ACCELERATED), image(2, 9, ACCELERATED), protocol="ADNI3", mayo={1: (0, 4), 2: (0, 4)})
    assert set(lost.values()) == {"adni.failed_quality"}


@pytest.mark.parametrize(
    ("mayo", "taken"),
    [
        ({1: (0, 1), 2: (1, 3), 3: (0, 1)}, 2),  # the only one selected
        ({1: (1, 2), 2: (1, 3), 3: (0, 3)}, 1),  # two are selected: the best grade
        ({1: (0, -1), 2: (0, 3), 3: (0, 4)}, 2),  # any grade comes before none
        ({1: (0, 4), 2: (0, -1), 3: (0, 4)}, 2),
        ({1: (0, 4), 3: (0, 4)}, 2),  # all others failed: the one that was not seen
        ({3: (0, 2)}, 3),  # a passed one comes before those that were not seen
        ({}, 2),  # 1 is a repetition
    ],
)
def test_originals_at_3_t_are_chosen_by_mayo_clinic(mayo: dict[int, tuple[int, int]], taken: int) -> None:
    rows = (image(1, 10, RAW + " REPEAT"), image(2, 11, RAW), image(3, 12, RAW))
    rules = decide(*rows, mayo=mayo)
    assert [number for number, rule in rules.items() if rule in CHOSEN] == [taken]


def test_grades_do_not_count_at_1_5_t() -> None:
    rules = decide(image(1, 10, RAW, 1.5), image(2, 11, RAW, 1.5), protocol="ADNI1", mayo={1: (0, 4), 2: (1, 1)})
    assert rules == {1: "adni.raw", 2: "adni.later_series"}


def test_the_other_field_strength_is_the_last_resort() -> None:
    rules = decide(image(1, 10, RAW, 3.0), image(2, 11, RAW, 1.5), mayo={1: (0, 4)})
    assert rules == {1: "adni.failed_quality", 2: "adni.raw"}
    rules = decide(image(1, 10, RAW, 3.0), image(2, 9, RAW, 1.5))
    assert rules == {1: "adni.raw", 2: "adni.other_field_strength"}


@pytest.mark.parametrize("name", ["MPRAGE", "MP-RAGE", "MP RAGE", "SAG MPRAGE REPEAT", "IR-SPGR"])
def test_original_t1w_names_are_accepted(name: str) -> None:
    assert decide(image(1, 10, name)) == {1: "adni.raw"}


@pytest.mark.parametrize("name", ["MPRAGE SENSE2", "Accelerated SAG IR-SPGR", "Sagittal 3D FLAIR T1"])
def test_other_names_are_not(name: str) -> None:
    assert decide(image(1, 10, name)) == {1: "adni.other_sequence"}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (ACCELERATED, "adni.raw"),
        ("Accelerated Sag IR-FSPGR", "adni.raw"),
        (ACCELERATED + " _ND", "adni.other_sequence"),
        ("Sagittal 3D MPRAGE", "adni.other_sequence"),
        (SCALED, "adni.other_sequence"),
    ],
)
@pytest.mark.parametrize("protocol", ["ADNI3", "ADNI4"])
def test_later_protocols_take_accelerated_originals_alone(protocol: str, name: str, rule: str) -> None:
    assert decide(image(1, 10, name), protocol=protocol, failed=(10,)) == {1: rule}


def test_a_series_without_number_is_that_of_its_day() -> None:
    rules = decide(image(1, "", N3), image(2, "", SCALED), image(3, 5, RAW))
    assert rules == {1: "adni.n3", 2: "adni.other_stage", 3: "adni.other_stage"}
    assert decide(image(1, "", N3), image(2, "", SCALED)) == {1: "adni.n3", 2: "adni.other_stage"}
