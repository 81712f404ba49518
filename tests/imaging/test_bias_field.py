import numpy as np
import pytest

from cohortsmith.config.preparation import BiasFieldConfig
from cohortsmith.imaging.bias_field import correct_bias, mesh
from cohortsmith.imaging.grid import block_mean
from cohortsmith.imaging.template import template
from cohortsmith.imaging.volume import Volume

FAST = BiasFieldConfig(resolution=12.0, iterations=(25, 25, 25))


def receive_field(volume: Volume) -> np.ndarray:
    """A smooth field, about 0.6 to 1.6 over the head."""
    x, y, z = (np.indices(volume.data.shape) - np.array(volume.data.shape)[:, None, None, None] / 2) * 3 / 100
    return np.exp(0.25 * x + 0.2 * y - 0.15 * z + 0.3 * x**2 - 0.3 * y**2).astype(np.float32)


@pytest.fixture(scope="module")
def brain() -> Volume:
    return block_mean(template(1.0), 3)


@pytest.mark.ants
def test_most_of_a_known_field_is_removed(brain: Volume) -> None:
    field = receive_field(brain)
    scan = Volume(brain.data * field * 300, brain.affine)
    corrected, found = correct_bias(scan, FAST)
    inside = brain.data > 0.3
    before = np.log(field[inside]).std()
    after = np.log(found.data / field)[inside].std()
    assert before > 0.13 and after < before / 1.8
    np.testing.assert_allclose(corrected.data * found.data, scan.data, rtol=1e-5)
    assert np.median(found.data[inside]) == pytest.approx(1, abs=0.1)


@pytest.mark.ants
def test_the_field_is_the_same_every_time(brain: Volume) -> None:
    scan = Volume(brain.data * receive_field(brain) * 300, brain.affine)
    first, second = (correct_bias(scan, FAST)[1].data for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.ants
def test_negative_voxels_do_not_hide_the_field(brain: Volume) -> None:
    data = brain.data * receive_field(brain) * 300
    usual, shifted = (correct_bias(Volume(data - offset, brain.affine), FAST)[1].data for offset in (0, 200))
    np.testing.assert_allclose(shifted, usual, rtol=1e-3)


def test_the_mesh_is_the_nearest_whole_number_of_spans() -> None:
    volume = Volume(np.zeros((180, 100, 40), np.float32), np.diag([1.0, 4, 2, 1]))
    assert mesh(volume, 200.0) == [1, 2, 1]
    assert mesh(volume, 100.0) == [2, 4, 1]
