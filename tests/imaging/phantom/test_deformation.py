import numpy as np
import pytest

from cohortsmith.imaging.phantom import deformation
from cohortsmith.imaging.phantom.deformation import SHAPE, SPACING

INNER = (slice(None), slice(5, -5), slice(5, -5), slice(5, -5))


def smooth_field(seed: int, size: float) -> deformation.Field:
    return deformation.random_velocity(np.random.default_rng(seed), 20.0, size)


def test_a_random_velocity_has_the_size_asked_for():
    assert smooth_field(0, 2.5).std() == pytest.approx(2.5)


@pytest.mark.parametrize("size", [1.0, 4.0])
def test_the_exponential_of_a_smooth_field_is_invertible(size):
    assert deformation.jacobian_determinant(deformation.exponential(smooth_field(1, size))).min() > 0


def test_the_exponential_of_the_opposite_field_is_the_inverse():
    field = smooth_field(2, 2.0)
    there = deformation.displace(deformation.lattice_points(), deformation.exponential(field))
    back = deformation.displace(there, deformation.exponential(-field))
    assert np.abs(back - deformation.lattice_points())[INNER].max() < 0.15  # mm; steps are up to 8 mm


def test_a_constant_velocity_moves_everything_by_itself():
    field = np.zeros((3, *SHAPE))
    field[1] = 7.0
    assert deformation.exponential(field) == pytest.approx(field)
    assert deformation.displace(np.array([[1.0], [2.0], [3.0]]), field).ravel() == pytest.approx([1, 9, 3])


def test_a_linear_velocity_grows_exponentially():
    points = deformation.lattice_points()
    displacement = deformation.exponential(0.2 * (points - points[:, 20:21, 25:26, 25:26]), squarings=8)
    assert deformation.jacobian_determinant(displacement)[15:26, 20:31, 20:31] == pytest.approx(np.exp(0.6), rel=0.01)


def test_a_flow_has_the_divergence_asked_for_and_no_curl():
    x, y, z = deformation.lattice_points()
    density = np.exp(-((x / 25) ** 2 + (y / 25) ** 2 + (z / 25) ** 2))
    flow = deformation.flow_with_divergence(density)
    gradient = np.stack([np.stack(np.gradient(each, SPACING)) for each in flow])
    assert np.abs(np.trace(gradient) - density + density.mean()).max() < 0.04
    assert np.abs(gradient - gradient.swapaxes(0, 1)).max() < 0.02
