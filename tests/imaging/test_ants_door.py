import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.errors import ConfigurationError
from cohortsmith.imaging.ants_door import load_ants, matrix_from_itk, matrix_to_itk, orthogonal_affine, to_ants
from cohortsmith.imaging.volume import Volume


@given(seed=st.integers(0, 1000))
def test_a_matrix_survives_the_way_to_itk_and_back_about_any_centre(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3] += rng.normal(0, 0.2, (3, 4)) * [1, 1, 1, 50]
    centre = rng.normal(0, 50, 3)
    np.testing.assert_allclose(matrix_from_itk(matrix_to_itk(matrix, centre), centre), matrix, atol=1e-10)


def test_left_and_back_change_sign_and_up_does_not() -> None:
    shift = np.eye(4)
    shift[:3, 3] = 1, 2, 3
    np.testing.assert_allclose(matrix_to_itk(shift, np.zeros(3))[9:], [-1, -2, 3])


def test_an_affine_without_shear_is_kept_and_shear_is_taken_out() -> None:
    turned = np.array([[0.0, -2, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])
    np.testing.assert_allclose(orthogonal_affine(turned), turned, atol=1e-12)
    sheared = turned.copy()
    sheared[0, 2] = 0.4
    axes = orthogonal_affine(sheared)[:3, :3]
    np.testing.assert_allclose(axes.T @ axes, np.diag(np.diag(axes.T @ axes)), atol=1e-12)


def test_a_missing_antspy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ants", None)
    with pytest.raises(ConfigurationError, match="antspyx"):
        load_ants()


@pytest.mark.ants
def test_a_voxel_lies_at_the_same_place_for_itk(volume: Volume) -> None:
    image = to_ants(volume)
    x, y, z = (volume.affine @ [2, 3, 4, 1])[:3]
    ants = load_ants()
    np.testing.assert_allclose(ants.transform_index_to_physical_point(image, [2, 3, 4]), [-x, -y, z], atol=1e-5)
    assert image.numpy()[2, 3, 4] == volume.data[2, 3, 4]
