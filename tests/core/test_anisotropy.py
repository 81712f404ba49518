import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_geometries import constant_geometry, drawn_geometry, half_plane
from latent_fields import draw_points

from cohortsmith.core.anisotropy import anisotropy


def test_one_direction_three_times_as_costly_by_hand():
    turned = torch.tensor([[2.0, 1.0], [1.0, 2.0]])  # eigenvalues 1 and 3
    assert anisotropy(constant_geometry(turned), torch.zeros(1, 2)).item() == pytest.approx(0.5)


def test_a_multiple_of_the_identity_has_none():
    z = draw_points(5, 2).abs()
    torch.testing.assert_close(anisotropy(half_plane(), z), torch.zeros(5, dtype=torch.float64))


@settings(deadline=None, max_examples=25)
@given(d=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_it_lies_between_nothing_and_all_and_does_not_depend_on_the_unit(d, seed):
    geometry, z = drawn_geometry(d, seed), draw_points(6, d, seed)
    found = anisotropy(geometry, z)
    assert ((found >= 0) & (found < 1)).all()
    torch.testing.assert_close(anisotropy(geometry._replace(metric=lambda z: 7 * geometry.metric(z)), z), found)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_in_the_plane_the_inverse_metric_is_as_anisotropic(seed):
    geometry, z = drawn_geometry(2, seed), draw_points(6, 2, seed)
    torch.testing.assert_close(anisotropy(geometry._replace(metric=geometry.inverse), z), anisotropy(geometry, z))
