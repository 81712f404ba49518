"""The worst scans come first, and what is unknown is the worst."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.reporting.content import Preparation, PreparedScan
from cohortsmith.reporting.sections.preparation import worst_first


def scan(key: str, correlation: float, flag: str = "") -> PreparedScan:
    return PreparedScan(key, {"template_correlation": correlation}, [np.zeros((2, 3))], flag)


def test_flagged_scans_come_first_then_the_lowest_number():
    ordered = worst_first(Preparation([scan("a", 0.9), scan("b", 0.2), scan("c", 0.95, "stands out")]))

    assert [one.key for one in ordered] == ["c", "b", "a"]


def test_a_scan_without_the_number_is_looked_at_before_all_others():
    unknown = PreparedScan("unknown", {}, [np.zeros((2, 3))])

    assert worst_first(Preparation([scan("a", -1.0), unknown]))[0].key == "unknown"


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_no_scan_is_lost_and_the_numbers_rise(values):
    ordered = worst_first(Preparation([scan(f"sub-{index}", value) for index, value in enumerate(values)]))

    assert [one.quality["template_correlation"] for one in ordered] == sorted(values)
