import numpy as np
import pytest

from cohortsmith.imaging.template import brain_mask, crop_grid, template


def test_the_papers_box_at_one_millimetre() -> None:
    grid = crop_grid(1.0)
    assert grid.shape == (169, 208, 179)
    np.testing.assert_array_equal(grid.affine[:3, 3], [-84, -119, -78])


@pytest.mark.parametrize(("resolution", "shape"), [(2.0, (85, 104, 90)), (4.0, (43, 52, 45)), (3.0, (57, 70, 60))])
def test_coarser_boxes_round_up_from_the_same_corner(resolution: float, shape: tuple[int, ...]) -> None:
    grid = crop_grid(resolution)
    assert grid.shape == shape
    corner = grid.affine @ [-0.5, -0.5, -0.5, 1]
    np.testing.assert_allclose(corner[:3], [-84.5, -119.5, -78.5])


def test_the_whole_brain_lies_inside_the_box() -> None:
    mask = brain_mask(4.0).data
    edges = [mask[0], mask[-1], mask[:, 0], mask[:, -1], mask[:, :, -1]]
    assert not any(edge.any() for edge in edges)
    litres = mask.sum() * 4**3 / 1e6
    assert 1.6 < litres < 2.2  # ICBM 2009a with its ventricles and sulci


def test_the_template_is_left_right_symmetric_about_x_zero() -> None:
    data = template(2.0).data
    assert np.corrcoef(data[:84].ravel(), data[84:0:-1].ravel())[0, 1] > 0.95


def test_dilation_is_in_millimetres() -> None:
    brain, grown = (brain_mask(4.0, dilation).data > 0 for dilation in (0.0, 8.0))
    highest = [np.argwhere(mask)[:, 2].max() for mask in (brain, grown)]
    assert highest[1] - highest[0] == 2
