"""Which clinical visit an image of ADNI belongs to."""

import pandas as pd
import pytest

from cohortsmith.imaging.sources.adni_matching import expected_labels, match_visits
from cohortsmith.imaging.sources.field_map import AdniMap, read_field_map

NAMES = read_field_map(AdniMap, "adni").visits
P = "941_S_0001"


def images(*rows: tuple[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["label", "scanned"]).assign(person=P)
    return frame.assign(scanned=pd.to_datetime(frame["scanned"]), label=frame["label"].str.lower())


def visits(*rows: tuple[str, str], protocol: str = "ADNI1") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["code", "exam"]).assign(person=P, original_protocol=protocol)
    return frame.assign(exam=pd.to_datetime(frame["exam"]))


def codes(found: pd.DataFrame) -> list[str]:
    return found["code"].tolist()


@pytest.mark.parametrize(
    ("protocol", "code", "label"),
    [
        ("ADNI1", "bl", "ADNI Screening"),
        ("ADNI1", "m03", "ADNIGO Month 3 MRI"),
        ("ADNI1", "m06", "ADNI1/GO Month 6"),
        ("ADNI1", "m48", "ADNI1/GO Month 48"),
        ("ADNI1", "m54", "ADNIGO Month 54"),
        ("ADNIGO", "bl", "ADNIGO Screening MRI"),
        ("ADNIGO", "m12", "ADNI1/GO Month 12"),
        ("ADNI2", "bl", "ADNI2 Screening MRI-New Pt"),
        ("ADNI2", "m03", "ADNI2 Month 3 MRI-New Pt"),
        ("ADNI2", "m06", "ADNI2 Month 6-New Pt"),
        ("ADNI2", "m12", "ADNI2 Year 1 Visit"),
        ("ADNI3", "bl", "ADNI Screening"),
        ("ADNI3", "m24", "ADNI3 Year 2 Visit"),
    ],
)
def test_each_protocol_has_its_own_visit_names(protocol: str, code: str, label: str) -> None:
    assert expected_labels(protocol, code, NAMES)[0] == label.lower()


def test_years_are_whole_numbers_and_half_years_have_no_name_of_a_year() -> None:
    assert not any("1.0" in label or "1.5" in label for label in expected_labels("ADNI2", "m18", NAMES))
    assert expected_labels("ADNI2", "m18", NAMES) == ["m18"]


def test_where_the_protocol_is_unknown_the_names_of_all_count() -> None:
    assert {"adni screening", "adni2 screening mri-new pt"} <= set(expected_labels("", "bl", NAMES))
    assert expected_labels("ADNI9", "f", NAMES) == []


def test_a_visit_name_decides_even_where_another_visit_is_closer() -> None:
    found = match_visits(
        images(("ADNI2 Year 1 Visit", "2012-06-01")),
        visits(("bl", "2011-01-01"), ("m12", "2012-01-01"), ("m18", "2012-06-01"), protocol="ADNI2"),
        NAMES,
    )
    assert codes(found) == ["m12"] and found["gap"].isna().all()


def test_the_protocol_of_joining_decides_what_a_name_means() -> None:
    found = match_visits(
        images(("ADNI2 Year 1 Visit", "2012-01-05")), visits(("m12", "2007-01-01"), ("m72", "2012-01-01")), NAMES
    )
    assert codes(found) == ["m72"] and found["gap"].tolist() == [4.0]


def test_other_images_take_the_closest_visit_that_is_left() -> None:
    found = match_visits(
        images(("ADNI1/GO Month 6", "2006-07-01"), ("odd", "2006-05-01"), ("", "2007-01-20")),
        visits(("bl", "2006-01-01"), ("m06", "2006-07-01"), ("m12", "2007-01-01")),
        NAMES,
    )
    assert codes(found) == ["m06", "bl", "m12"]


def test_a_visit_is_given_away_once_to_the_earlier_images() -> None:
    found = match_visits(
        images(("odd", "2006-01-20"), ("odder", "2006-01-11")),
        visits(("bl", "2006-01-10"), ("m06", "2006-07-10")),
        NAMES,
    )
    assert codes(found) == ["m06", "bl"]


@pytest.mark.parametrize(
    ("day", "code"),
    [
        ("2007-08-25", "m12"),  # 250 days before m24, 7 days before the middle
        ("2007-10-01", "m12"),  # 30 days after the middle
        ("2007-10-02", "m24"),  # 31 days after the middle
        ("2008-03-01", "m24"),  # less than 90 days from the closest
        ("2008-09-01", "m24"),  # after both
    ],
)
def test_between_two_distant_visits_the_earlier_one_wins_around_the_middle(day: str, code: str) -> None:
    # The middle of 2007-01-01 and 2008-05-01 (486 days) is 2007-09-01.
    found = match_visits(images(("odd", day)), visits(("m12", "2007-01-01"), ("m24", "2008-05-01")), NAMES)
    assert codes(found) == [code]


def test_images_of_one_visit_name_stay_together_and_others_find_no_visit_left() -> None:
    found = match_visits(
        images(("ADNI Screening", "2006-01-01"), ("ADNI Screening", "2006-02-01"), ("odd", "2006-01-02")),
        visits(("bl", "2006-01-10")),
        NAMES,
    )
    assert codes(found) == ["bl", "bl", ""]


@pytest.mark.parametrize("label", ["ADNI Baseline", "bl"])
def test_a_second_baseline_scan_never_takes_another_visit(label: str) -> None:
    found = match_visits(
        images(("ADNI Screening", "2006-01-01"), (label, "2006-01-20")),
        visits(("bl", "2006-01-10"), ("m06", "2006-07-10")),
        NAMES,
    )
    assert codes(found) == ["bl", ""]


def test_new_visit_codes_in_image_lists_are_understood() -> None:
    found = match_visits(
        images(("sc", "2006-01-01"), ("m06", "2006-07-01")), visits(("bl", "2006-01-10"), ("m06", "2006-07-10")), NAMES
    )
    assert codes(found) == ["bl", "m06"]


def test_nothing_matches_nothing() -> None:
    assert codes(match_visits(images(("odd", "")), visits(("bl", "2006-01-10")), NAMES)) == [""]
    assert codes(match_visits(images(("odd", "2006-01-01")), visits(("bl", "")), NAMES)) == [""]
