from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cohortsmith.config.preparation import TemplateConfig
from cohortsmith.imaging.template import brain_mask, crop_grid, template, template_identity


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


def test_the_users_template_lies_on_the_same_box(tmp_path: Path) -> None:
    """A ramp on the grid of ICBM 2009c (193 x 229 x 193 mm from -96, -132, -78), stored with its first axis reversed."""
    affine = np.eye(4)
    affine[:3, 3] = -96, -132, -78
    ramp = np.broadcast_to(np.arange(193.0, dtype=np.float32)[:, None, None], (193, 229, 193))
    nib.save(nib.as_closest_canonical(nib.Nifti1Image(ramp[::-1], affine @ _reversed(193))), tmp_path / "t.nii")
    box = template(1.0, str(tmp_path / "t.nii"))
    assert box.data.shape == (169, 208, 179)
    np.testing.assert_allclose(box.data[:, 100, 90], (np.arange(169) + 12) / 192, atol=1e-5)  # Clinica cuts 12:181


def _reversed(n: int) -> np.ndarray:
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = n - 1
    return flip


def test_the_shipped_template_is_known_by_its_content() -> None:
    assert template_identity(TemplateConfig()) == {
        "Name": "MNI152NLin2009aSym",
        "File": "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
        "SHA256": "421a10e872fd6cadae7f61d358dffbcc1795a497d61ee76c5dda2503e1a1e9e6",
    }


def test_the_users_template_is_known_by_its_own_content_and_name(tmp_path: Path) -> None:
    (tmp_path / "own.nii").write_bytes(b"abc")
    identity = template_identity(TemplateConfig(path=str(tmp_path / "own.nii"), space="MNIown"))
    assert identity["Name"] == "MNIown" and identity["File"] == "own.nii" and identity["SHA256"].startswith("ba7816bf")
