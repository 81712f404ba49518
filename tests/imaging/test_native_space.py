from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.eulerangles import euler2mat

from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.errors import CohortsmithError
from cohortsmith.imaging.ants_door import load_ants
from cohortsmith.imaging.grid import Grid, resample
from cohortsmith.imaging.native_space import itk_text, native_grid, points_to_native, read_itk_text, to_native
from cohortsmith.imaging.template import crop_grid
from cohortsmith.imaging.volume import Volume

NATIVE = Grid((34, 40, 37), np.array([[0.2, -5.0, 0, 95], [4.6, 0.3, 0.1, -110], [0, 0.2, 5.1, -85], [0, 0, 0, 1.0]]))


def pose(angles: tuple[float, float, float], size: float, shift: tuple[float, float, float]) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = size * euler2mat(*angles) @ np.array([[1, 0.05, 0], [0, 1.1, 0.02], [0, 0, 0.95]])
    matrix[:3, 3] = shift
    return matrix


POSE = pose((0.1, -0.2, 0.15), 1.05, (4, -9, 6))
angles = st.floats(-0.5, 0.5)
poses = st.builds(pose, st.tuples(angles, angles, angles), st.floats(0.7, 1.4), st.tuples(*[st.floats(-40, 40)] * 3))


def coordinates(grid: Grid) -> list[Volume]:
    """Three images whose intensities are the voxels' own places along x, y and z in mm."""
    index = np.indices(grid.shape).reshape(3, -1)
    world = grid.affine[:3, :3] @ index + grid.affine[:3, 3:]
    return [Volume(axis.reshape(grid.shape).astype(np.float32), grid.affine) for axis in world]


def test_a_scan_carried_to_the_models_space_and_back_lies_where_it_was() -> None:
    """World coordinates come back within 0.1 mm wherever the crop box reaches."""
    box = crop_grid(4.0)
    margin = Volume(np.pad(np.ones(np.array(box.shape) - 4, np.float32), 2), box.affine)
    inside = (to_native(margin, POSE, NATIVE).data > 0.999) & _interior(NATIVE.shape, 3)
    assert inside.sum() > 5000
    for truth in coordinates(NATIVE):
        back = to_native(resample(truth, POSE, box), POSE, NATIVE)
        assert np.abs(back.data - truth.data)[inside].max() < 0.1


def _interior(shape: tuple[int, ...], margin: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[margin:-margin, margin:-margin, margin:-margin] = True
    return mask


@given(transform=poses)
def test_points_go_back_by_the_inverse(transform: np.ndarray) -> None:
    points = np.array([[0.0, 0, 0], [30, -40, 50]])
    there = points @ transform[:3, :3].T + transform[:3, 3]
    np.testing.assert_allclose(points_to_native(there, transform), points, atol=1e-9)


@given(transform=poses)
def test_the_text_file_gives_the_same_matrix_back(transform: np.ndarray, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("text") / "sub-1_ses-1_xfm.txt"
    path.write_text(itk_text(transform))
    np.testing.assert_allclose(read_itk_text(path), transform, rtol=1e-9, atol=1e-9)


@pytest.mark.ants
def test_ants_reads_the_file_and_moves_a_point_of_the_template_to_the_scan(tmp_path: Path) -> None:
    path = tmp_path / "sub-1_ses-1_xfm.txt"
    path.write_text(itk_text(POSE))
    at_template = np.array([12.0, -30, 22])
    flip = np.array([-1, -1, 1])  # RAS <-> LPS
    found = (
        np.array(load_ants().read_transform(str(path), precision="double").apply_to_point(at_template * flip)) * flip
    )
    np.testing.assert_allclose(found, points_to_native(at_template[None], POSE)[0], atol=1e-9)


@pytest.mark.parametrize("text", ["", "#Insight Transform File V1.0\nParameters: 1 2 3\nFixedParameters: 0 0 0\n"])
def test_a_file_without_an_affine_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a_xfm.txt").write_text(text)
    with pytest.raises(CohortsmithError, match="cannot be read"):
        read_itk_text(tmp_path / "a_xfm.txt")


def test_the_record_gives_the_scans_own_grid() -> None:
    grid = native_grid({"NativeGrid": {"Shape": [3, 4, 5], "Affine": NATIVE.affine.tolist()}})
    assert grid.shape == (3, 4, 5)
    np.testing.assert_array_equal(grid.affine, NATIVE.affine)


def test_defaults_are_the_papers_geometry() -> None:
    config = PreparationConfig()
    assert (config.resolution, config.downsample, config.shape) == (1.0, 2, None)
