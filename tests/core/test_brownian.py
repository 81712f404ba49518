import math

import pytest
import torch
from known_geometries import constant_geometry
from latent_fields import draw_field

from cohortsmith.core.brownian import brownian_motion
from cohortsmith.core.metric import learned_geometry

G = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)


def covariance_in_standard_errors(position, expected):
    outer = position.unsqueeze(-1) * position.unsqueeze(-2)
    return ((outer.mean(0) - expected).abs() / (outer.std(0) / math.sqrt(len(position)))).max()


@pytest.mark.statistical
@pytest.mark.parametrize("n_steps", [1, 9])
def test_in_a_constant_metric_the_walkers_end_with_covariance_sigma_squared_over_g(n_steps):
    start = torch.zeros(40_000, 2, dtype=torch.float64)
    motion = brownian_motion(constant_geometry(G), start, 0.7, n_steps, torch.Generator().manual_seed(0))
    assert covariance_in_standard_errors(motion.position, 0.49 * torch.linalg.inv(G)) < 4


@pytest.mark.statistical
def test_in_a_learned_metric_one_step_has_the_covariance_of_the_inverse_metric_at_the_start():
    geometry = learned_geometry(draw_field(d=2))
    start = torch.full((40_000, 2), 0.3, dtype=torch.float64)
    motion = brownian_motion(geometry, start, 0.7, 1, torch.Generator().manual_seed(0))
    assert covariance_in_standard_errors(motion.position - start, 0.49 * geometry.inverse(start[:1])[0]) < 4


def test_the_path_begins_at_the_start_and_ends_at_the_end():
    start = torch.ones(3, 2, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    motion = brownian_motion(constant_geometry(G), start, 0.7, 4, generator, keep_path=True)
    assert motion.path.shape == (5, 3, 2)
    assert torch.equal(motion.path[0], start)
    assert torch.equal(motion.path[-1], motion.position)
    assert brownian_motion(constant_geometry(G), start, 0.7, 4, generator).path is None


def test_a_walker_without_a_metric_is_not_a_number_and_leaves_the_others_alone():
    geometry = constant_geometry(G)
    broken = geometry._replace(inverse=lambda z: geometry.inverse(z) * torch.tensor([1.0, -1.0])[:, None, None])
    motion = brownian_motion(broken, torch.zeros(2, 2, dtype=torch.float64), 1.0, 1, torch.Generator().manual_seed(0))
    assert motion.position.isnan().all(1).tolist() == [False, True]
