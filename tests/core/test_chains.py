import math
from functools import partial

import pytest
import torch
from latent_fields import draw_field, draw_points

from cohortsmith.core import hmc, random_walk
from cohortsmith.core.brownian import brownian_motion
from cohortsmith.core.chains import Schedule, run_chains
from cohortsmith.core.density import inverse_volume_density
from cohortsmith.core.metric import learned_geometry
from cohortsmith.core.support import ball_around


def gaussian(z):
    return -0.5 * z.square().sum(-1), -z


def anywhere(z):
    return torch.ones(len(z), dtype=torch.bool)


def run(schedule, step_size=0.05, n_chains=200, d=5, inside=anywhere, seed=0, n_leapfrog=4):
    def build(size):
        return hmc.build_kernel(gaussian, inside, size, n_leapfrog)

    begin = hmc.init(draw_points(n_chains, d), gaussian)
    return run_chains(build, inside, begin, step_size, schedule, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("target", [0.65, 0.9])
@pytest.mark.parametrize("first", [1e-3, 3.0])
def test_the_warm_up_reaches_the_target_acceptance_from_any_first_step(target, first):
    # One leapfrog: on a Gaussian the energy error of several falls again where they span a half turn.
    chains = run(Schedule(200, 40, target=target), step_size=first, d=20, n_leapfrog=1)
    assert chains.acceptance.mean().item() == pytest.approx(target, abs=0.03)


def test_without_a_warm_up_the_step_size_stands():
    assert run(Schedule(0, 3), step_size=0.07).step_size == pytest.approx(0.07, rel=1e-12)


@pytest.mark.statistical
def test_the_chains_sample_the_gaussian_after_the_step_is_frozen():
    position = run(Schedule(100, 30), n_chains=5000, d=2).state.position
    assert position.mean(0).abs().max() < 4 / math.sqrt(5000)
    assert (position.var(0) - 1).abs().max() < 4 * math.sqrt(2 / 5000)


@pytest.mark.parametrize(("n_kept", "expected"), [(None, 4), (0, 0), (2, 2), (7, 7)])
def test_only_as_many_positions_are_kept_as_asked(n_kept, expected):
    chains = run(Schedule(0, 7, n_kept))
    assert chains.trajectory.shape == (expected, 200, 5)
    assert chains.acceptance.shape == chains.energy_error.shape == (7,)


def test_the_last_position_kept_is_where_the_chains_are():
    chains = run(Schedule(0, 7))
    assert torch.equal(chains.trajectory[-1], chains.state.position)


def test_a_chain_that_began_outside_is_told_apart():
    chains = run(Schedule(30, 3), inside=lambda z: z.norm(dim=1) < 2.5)
    began_inside = draw_points(200, 5).norm(dim=1) < 2.5
    assert torch.equal(chains.always_inside, began_inside)
    assert 0 < began_inside.sum() < 200


def test_the_same_loop_drives_the_riemannian_random_walk_and_keeps_it_inside():
    field = draw_field(n=3, d=2)
    geometry = learned_geometry(field)
    target = inverse_volume_density(geometry, ball_around(field.centroids, 2.0))

    def build(scale):
        walk = random_walk.Walk(random_walk.isotropic(scale, field.centroids), 3)
        return random_walk.build_kernel(geometry, target.log_density, target.inside, walk)

    begin = hmc.init(field.centroids.repeat(40, 1), target.log_density)
    chains = run_chains(build, target.inside, begin, 0.1, Schedule(100, 30), torch.Generator().manual_seed(0))
    assert chains.always_inside.all()
    assert chains.acceptance.mean().item() == pytest.approx(0.65, abs=0.06)


def test_a_run_is_reproducible():
    first, again, other = (partial(run, Schedule(5, 5))(seed=seed).state.position for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_single_precision_stays_single_in_every_sampler():
    field = draw_field(n=3, d=2)
    field = field._replace(centroids=field.centroids.float(), factors=field.factors.float())
    geometry = learned_geometry(field)
    target = inverse_volume_density(geometry, ball_around(field.centroids, 2.0))
    walk = random_walk.Walk(random_walk.isotropic(0.1, field.centroids), 3, balanced=True)
    begin = hmc.init(field.centroids, target.log_density)
    for step in (
        hmc.build_kernel(target.log_density, target.inside, 0.1, 3, target.score),
        random_walk.build_kernel(geometry, target.log_density, target.inside, walk),
    ):
        state, info = step(begin, torch.Generator().manual_seed(0))
        assert {values.dtype for values in (*state, info.acceptance, info.energy_error)} == {torch.float32}
    motion = brownian_motion(geometry, field.centroids, 0.5, 3, torch.Generator().manual_seed(0))
    assert motion.position.dtype == torch.float32
