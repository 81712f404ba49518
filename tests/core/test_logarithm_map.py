import pytest
import torch
from known_geometries import bridged_clusters, constant_geometry, half_plane, half_plane_distance
from latent_fields import draw_points

from cohortsmith.core.curves import sample
from cohortsmith.core.exponential_map import exponential_map
from cohortsmith.core.geodesics import geodesics
from cohortsmith.core.geometry import speed
from cohortsmith.core.logarithm_map import N_STEPS, logarithm_map
from cohortsmith.core.metric import learned_geometry

START = torch.tensor([[-1.9, 0.7], [-1.5, 1.2], [0.3, 2.0]], dtype=torch.float64)
END = torch.tensor([[1.8, 0.6], [0.5, 1.9], [-0.4, 1.8]], dtype=torch.float64)


def test_in_a_constant_metric_it_is_the_difference():
    start, end = draw_points(4, 3), draw_points(4, 3, seed=2)
    found = logarithm_map(constant_geometry(torch.diag(torch.tensor([1.0, 4.0, 9.0]))), start, end)
    torch.testing.assert_close(found.velocity, end - start)
    assert found.miss.max() < 1e-8


@pytest.mark.parametrize("build", [half_plane, lambda: learned_geometry(bridged_clusters())])
def test_it_undoes_the_exponential_map(build):
    geometry = build()
    found = logarithm_map(geometry, START, END)
    reached = exponential_map(geometry, START, found.velocity, N_STEPS).position
    torch.testing.assert_close(reached, END, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.miss, (reached - END).norm(dim=1))


def test_its_length_is_the_distance():
    found = logarithm_map(half_plane(), START, END, n_steps=200)
    torch.testing.assert_close(
        speed(half_plane(), START, found.velocity), half_plane_distance(START, END), rtol=1e-4, atol=0
    )


def test_it_hits_nearer_than_the_spline_s_first_velocity():
    first = sample(geodesics(half_plane(), START, END).curves, torch.zeros(1, dtype=torch.float64))[1][:, 0]
    missed = (exponential_map(half_plane(), START, first, N_STEPS).position - END).norm(dim=1)
    assert (logarithm_map(half_plane(), START, END).miss < 1e-3 * missed).all()


def test_to_a_point_itself_it_is_nothing():
    found = logarithm_map(half_plane(), START, START)
    assert found.velocity.abs().max() < 1e-12
    assert found.miss.max() < 1e-12


def test_a_shot_that_goes_astray_leaves_the_others_alone():
    geometry = half_plane()
    broken = geometry._replace(
        kinetic_gradient=lambda z, q: torch.where(z[:, :1] > 5, torch.nan, geometry.kinetic_gradient(z, q))
    )
    start = torch.cat([START, torch.tensor([[9.0, 1.0]]).double()])
    end = torch.cat([END, torch.tensor([[9.5, 2.0]]).double()])
    found = logarithm_map(broken, start, end)
    assert found.miss[:3].max() < 1e-6
    assert found.miss[3].isnan()
