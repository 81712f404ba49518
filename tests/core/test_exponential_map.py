import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_geometries import constant_geometry, half_plane, half_plane_distance
from latent_fields import draw_field, draw_points, published, published_field

from cohortsmith.core.exponential_map import exponential_map, kinetic_energy, velocity_of
from cohortsmith.core.geometry import speed
from cohortsmith.core.metric import learned_geometry


@settings(deadline=None, max_examples=20)
@given(d=st.integers(1, 5), seed=st.integers(0, 2**31), n_steps=st.integers(1, 7))
def test_in_a_constant_metric_geodesics_are_straight(d, seed, n_steps):
    root = draw_points(d, d, seed)
    geometry = constant_geometry(root @ root.mT + torch.eye(d, dtype=torch.float64))
    z, v = draw_points(4, d, seed + 1), draw_points(4, d, seed + 2)
    shot = exponential_map(geometry, z, v, n_steps)
    torch.testing.assert_close(shot.position, z + v, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(velocity_of(geometry, shot.position, shot.momentum), v, rtol=1e-7, atol=1e-7)


def half_plane_end(start, velocity):
    """Follow x = c + r tanh(s t + a), y = r / cosh(s t + a), s the Riemannian speed, for t = 1."""
    s = velocity.norm(dim=1) / start[:, 1]
    a = torch.asinh(-velocity[:, 1] / velocity[:, 0].abs())
    r = start[:, 1] * a.cosh()
    side = velocity[:, 0].sign()
    x = start[:, 0] + side * r * ((s + a).tanh() - a.tanh())
    return torch.stack([x, r / (s + a).cosh()], dim=1)


def test_in_the_half_plane_geodesics_are_half_circles():
    start = draw_points(20, 2).abs() + torch.tensor([0.0, 1.0])
    velocity = draw_points(20, 2, seed=3)
    shot = exponential_map(half_plane(), start, velocity, 200)
    torch.testing.assert_close(shot.position, half_plane_end(start, velocity), rtol=1e-3, atol=1e-3)
    length = velocity.norm(dim=1) / start[:, 1]
    torch.testing.assert_close(half_plane_distance(start, shot.position), length, rtol=1e-3, atol=1e-3)


def test_straight_up_the_half_plane_by_hand():
    up = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    assert exponential_map(half_plane(), up, up, 400).position[0].tolist() == pytest.approx([0, math.e], rel=1e-5)


def test_twice_the_steps_leave_a_quarter_of_the_error():
    start, velocity = torch.tensor([[0.3, 1.2]], dtype=torch.float64), torch.tensor([[0.8, 0.5]], dtype=torch.float64)
    exact = half_plane_end(start, velocity)
    coarse, fine = ((exponential_map(half_plane(), start, velocity, n).position - exact).norm() for n in (50, 100))
    assert coarse / fine == pytest.approx(4.0, rel=0.05)


def test_the_energy_error_falls_at_least_with_the_square_of_the_step():
    geometry, z, v = learned_geometry(draw_field()), draw_points(6, 3), draw_points(6, 3, seed=2, scale=0.3)
    begun = 0.5 * speed(geometry, z, v).square()

    def error(n):
        shot = exponential_map(geometry, z, v, n)
        return (kinetic_energy(geometry, shot.position, shot.momentum) - begun).abs().max()

    assert error(400) < 1e-3 * begun.max()
    assert error(400) / error(800) > 3.8


def test_a_geodesic_shot_back_returns():
    geometry, z, v = learned_geometry(draw_field()), draw_points(6, 3), draw_points(6, 3, seed=2, scale=0.3)
    there = exponential_map(geometry, z, v, 1000)
    back = exponential_map(geometry, there.position, -velocity_of(geometry, there.position, there.momentum), 1000)
    torch.testing.assert_close(back.position, z, rtol=0, atol=1e-3)


def test_the_path_goes_from_start_to_end_and_is_kept_only_if_asked():
    geometry, z, v = learned_geometry(draw_field()), draw_points(6, 3), draw_points(6, 3, seed=2, scale=0.3)
    shot = exponential_map(geometry, z, v, 5, keep_path=True)
    assert shot.path.shape == (6, 6, 3)
    assert torch.equal(shot.path[0], z)
    assert torch.equal(shot.path[-1], shot.position)
    assert exponential_map(geometry, z, v, 5).path is None


@pytest.mark.real_data
class TestTheAuthorsPublishedModel:
    @pytest.fixture
    def oracle(self, shared):
        return published(shared)

    @pytest.fixture
    def geometry(self, oracle):
        return learned_geometry(published_field(oracle))

    def test_the_scheme_and_the_first_momentum(self, oracle, geometry):
        # The stored path follows dq/dt = +dH/dp, so its energy falls to a half; Hamilton's equations say -dH/dp.
        turned = geometry._replace(kinetic_gradient=lambda z, q: -geometry.kinetic_gradient(z, q))
        start, velocity = (torch.from_numpy(oracle[key]).double() for key in ("shoot_p0", "v20"))
        shot = exponential_map(turned, start, velocity, 10, keep_path=True)
        # Stored in float32 and computed so: 1e-6 of the largest coordinate, 5.9, is out of reach of a single number.
        np.testing.assert_allclose(shot.path.transpose(0, 1), oracle["shoot_pos"], rtol=1e-6, atol=2e-6)
        np.testing.assert_allclose(shot.momentum, oracle["shoot_mom"][:, -1], rtol=1e-6, atol=2e-6)

    def test_the_true_geodesics_keep_their_energy_where_the_stored_ones_do_not(self, oracle, geometry):
        start, velocity = (torch.from_numpy(oracle[key]).double() for key in ("shoot_p0", "v20"))
        begun = 0.5 * speed(geometry, start, velocity).square()
        stored = kinetic_energy(
            geometry, *(torch.from_numpy(oracle[key][:, -1]).double() for key in ("shoot_pos", "shoot_mom"))
        )
        shot = exponential_map(geometry, start, velocity, 1000)
        ours = kinetic_energy(geometry, shot.position, shot.momentum)
        assert ((ours / begun - 1).abs().median()) < 1e-3
        assert ((stored / begun - 1).abs().median()) > 0.1
