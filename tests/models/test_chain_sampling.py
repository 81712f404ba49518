"""What the configuration says reaches the chains, and each law is the one that its name says."""

import pytest
import torch
from known_geometries import constant_geometry
from tiny_rhvae import draw_fitted, fitted_at

from cohortsmith.config.generator import SamplerConfig
from cohortsmith.core.support import largest_gap, nearest_distance
from cohortsmith.errors import TrainingError
from cohortsmith.models import chain_sampling
from cohortsmith.models.chain_sampling import draw_brownian, draw_by_hmc, draw_by_random_walk, support_of

SAMPLER = SamplerConfig(n_samples=30, n_steps=24, n_leapfrog=5, step_size=0.1, minimum_acceptance=0.0)
DRAW = {"hmc": draw_by_hmc, "geometric": draw_by_hmc, "random_walk": draw_by_random_walk}


def draw(fitted=None, n=30, **changes):
    config = SAMPLER.model_copy(update=changes)
    given = draw_fitted() if fitted is None else fitted
    return DRAW[config.kind](given, config, n, torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("hmc", {"n_leapfrog": 6}),
        ("hmc", {"step_size": 0.2}),
        ("hmc", {"n_steps": 25}),
        ("hmc", {"n_warm_up": 21}),
        ("hmc", {"target_acceptance": 0.6}),
        ("geometric", {"n_leapfrog": 6}),
        ("random_walk", {"step_size": 0.2}),
    ],
)
def test_every_setting_changes_the_draws(kind, change):
    adapted = {"kind": kind, "n_warm_up": 20 if "target_acceptance" in change else 0}
    assert not torch.equal(draw(**adapted).latents, draw(**{**adapted, **change}).latents)


def test_the_least_acceptance_is_the_configurations():
    reached = draw().diagnostics["acceptance"]
    draw(minimum_acceptance=reached - 1e-3)
    with pytest.raises(TrainingError, match="hardly move"):
        draw(minimum_acceptance=reached + 1e-3)


def test_the_ball_and_the_reach_are_multiples_of_what_the_configuration_says():
    centroids = torch.tensor([[0.0, 0.0], [0.0, 3.0], [4.0, 0.0]])
    config = SAMPLER.model_copy(update={"support_radius": 1.5, "support_reach": 0.5})
    support = support_of(centroids, 1.0, config)
    assert (support.radius, support.reach) == (6.0, 2.0)
    assert support_of(centroids, 7.0, config).reach == 3.5


def test_the_geometric_law_has_no_width_but_that_of_the_codes():
    fitted = draw_fitted(temperature=100.0)
    latents = draw(fitted, kind="geometric", support_reach=0.05).latents
    codes = fitted.codes.mean
    assert nearest_distance(latents, codes).max() <= 0.05 * largest_gap(codes) + 1e-5


@pytest.mark.parametrize("kind", ["hmc", "geometric", "random_walk"])
def test_draws_are_nearer_to_the_codes_than_uniform_ones(kind):
    fitted = draw_fitted(temperature=0.5)
    codes = fitted.codes.mean
    latents = draw(fitted, n=100, kind=kind, n_steps=150, step_size=0.3).latents
    radius = support_of(codes, 0.5, SAMPLER).radius
    square = radius * (2 * torch.rand(400, 2, generator=torch.Generator().manual_seed(2)) - 1)
    uniform = square[square.norm(dim=1) <= radius]
    assert nearest_distance(latents, codes).mean() < 0.6 * nearest_distance(uniform, codes).mean()


@pytest.mark.statistical
def test_a_brownian_walk_in_flat_space_spreads_by_its_duration(monkeypatch):
    monkeypatch.setattr(chain_sampling, "pullback_geometry_of", lambda _: constant_geometry(torch.eye(2)))
    config = SAMPLER.model_copy(update={"duration": 0.04})
    fitted = fitted_at(torch.zeros(3, 2))
    ended = draw_brownian(fitted, config, 2_000, torch.Generator().manual_seed(1)).latents
    assert ended.var().item() == pytest.approx(0.04, rel=4 * (2 / 4_000) ** 0.5)


def test_walks_that_end_at_no_number_stop_the_run_with_a_remedy(monkeypatch):
    lost = constant_geometry(torch.eye(2))._replace(inverse=lambda z: torch.full((len(z), 2, 2), torch.nan))
    monkeypatch.setattr(chain_sampling, "pullback_geometry_of", lambda _: lost)
    with pytest.raises(TrainingError, match="ended at no number") as raised:
        draw_brownian(draw_fitted(), SAMPLER, 5, torch.Generator().manual_seed(1))
    assert raised.value.got == "5 of 5 walks"
