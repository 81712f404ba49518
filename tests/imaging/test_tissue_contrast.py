import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.imaging.grid import resample
from cohortsmith.imaging.template import brain_mask, crop_grid, template
from cohortsmith.imaging.tissue_contrast import (
    brain_overlap,
    dice,
    find_brain,
    grey_white_difference,
    largest_part,
    otsu,
)
from cohortsmith.imaging.volume import Volume

masks = st.lists(st.booleans(), min_size=12, max_size=12).map(lambda values: np.array(values).reshape(3, 4))


@given(a=masks, b=masks)
def test_overlap_is_symmetric_and_between_nothing_and_all(a: np.ndarray, b: np.ndarray) -> None:
    assert dice(a, b) == dice(b, a) and 0 <= dice(a, b) <= 1
    assert dice(a, a) == float(a.any())


def test_half_an_overlap_by_hand() -> None:
    assert dice(np.array([True, True, False]), np.array([False, True, True])) == 0.5


def test_the_templates_own_brain_is_found() -> None:
    assert brain_overlap(template(4.0), 4.0) > 0.9


def test_a_shifted_brain_overlaps_less() -> None:
    shift = np.eye(4)
    shift[:3, 3] = 8, 8, 0
    shifted = resample(template(4.0), shift, crop_grid(4.0))
    assert brain_overlap(shifted, 4.0) < brain_overlap(template(4.0), 4.0) - 0.04


def test_a_bright_scalp_beyond_a_dark_skull_is_not_taken_for_brain() -> None:
    near, far = brain_mask(2.0, 6.0).data > 0, brain_mask(2.0, 9.0).data > 0
    head = template(2.0).data + (far & ~near)
    found = find_brain(Volume(head, crop_grid(2.0).affine), 2.0).data > 0
    bare = find_brain(template(2.0), 2.0).data > 0
    assert dice(found, bare) > 0.97


def test_an_empty_scan_has_no_brain() -> None:
    grid = crop_grid(4.0)
    assert find_brain(Volume(np.zeros(grid.shape, np.float32), grid.affine), 4.0).data.sum() == 0


def test_the_threshold_lies_between_two_clusters(rng: np.random.Generator) -> None:
    values = np.concatenate([rng.normal(10, 1, 3000), rng.normal(50, 4, 500)]).astype(np.float32)
    assert 15 < otsu(values) < 40


def test_only_the_largest_part_stays() -> None:
    mask = np.array([True, False, True, True, False, True])
    assert largest_part(mask).tolist() == [False, False, True, True, False, False]
    assert not largest_part(np.zeros(4, bool)).any()


def test_the_difference_of_grey_and_white_matter_is_found(rng: np.random.Generator) -> None:
    values = np.concatenate([rng.normal(mean, 4, n) for mean, n in ((20, 8000), (60, 40000), (85, 30000))])
    assert grey_white_difference(values.astype(np.float32)) == pytest.approx(25, abs=1)


def test_a_constant_brain_has_no_contrast() -> None:
    assert grey_white_difference(np.ones(100, np.float32)) == 0
