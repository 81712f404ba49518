import math

import pytest
import torch
from tiny_rhvae import BRIEF, TINY, draw_fitted, draw_images, fitted_at

from cohortsmith.config.generator import SamplerConfig, VAEConfig, VampVAEConfig
from cohortsmith.core.metric import thin
from cohortsmith.core.support import contains
from cohortsmith.errors import ConfigurationError, TrainingError
from cohortsmith.models import sampling
from cohortsmith.models.chain_sampling import ChainDraws, support_of
from cohortsmith.models.fitted import restore
from cohortsmith.models.sampling import count_blocks, draw_latents
from cohortsmith.models.training import fit_vae

SAMPLER = SamplerConfig(n_samples=40, n_steps=24, n_leapfrog=5, step_size=0.1)


def supported(fitted, config=SAMPLER):
    return support_of(fitted.field.centroids, fitted.field.temperature, config)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def trained():
    """One small model of each kind that a sampler needs."""
    common = {"latent_dim": 2, "likelihood_variance": 0.01, "network": TINY.network}
    configs = {
        "rhvae": TINY.model_copy(update={"likelihood_variance": 0.01}),
        "vae": VAEConfig(**common),
        "vamp_vae": VampVAEConfig(**common, n_pseudo_inputs=4),
    }
    return {kind: fit_vae(draw_images(), config, BRIEF, seed=3) for kind, config in configs.items()}


def test_draws_lie_in_the_support_and_come_with_their_diagnostics():
    fitted = draw_fitted()
    draws = draw_latents(fitted, SAMPLER, seeded(1))
    assert draws.latents.shape == (40, 2)
    assert contains(supported(fitted), draws.latents).all()
    assert set(draws.diagnostics) == {
        "acceptance",
        "energy_error",
        "step_size",
        "support_radius",
        "left_support",
        "r_hat",
        "effective_sample_size",
        "nearest_centroid_mean",
        "nearest_centroid_max",
        "void_share",
    }
    assert all(isinstance(value, float) for value in draws.diagnostics.values())
    assert draws.diagnostics["acceptance"] > 0.8


def test_the_support_is_the_ball_of_the_thesis():
    fitted = draw_fitted()
    assert supported(fitted).radius == pytest.approx(2 * fitted.field.centroids.norm(dim=1).max().item())


def test_a_reach_keeps_every_draw_near_a_centroid():
    fitted = draw_fitted(d=10, temperature=0.5, regularization=10.0)  # nearly flat: draws wander off
    near = SAMPLER.model_copy(update={"support_reach": 0.5, "minimum_acceptance": 0.0})
    wide, tight = (draw_latents(fitted, config, seeded(1)).diagnostics for config in (SAMPLER, near))
    assert tight["nearest_centroid_max"] <= supported(fitted, near).reach + 1e-5
    assert wide["nearest_centroid_max"] > supported(fitted, near).reach


def test_chains_start_at_the_centroids():
    fitted = draw_fitted()
    still = SAMPLER.model_copy(update={"step_size": 1e-6, "n_steps": 4})
    draws = draw_latents(fitted, still, seeded(1))
    distances = torch.cdist(draws.latents, fitted.field.centroids)
    assert distances.amin(dim=1).max() < 1e-3
    assert len(distances.argmin(dim=1).unique()) > 4
    other = torch.cdist(draw_latents(fitted, still, seeded(2)).latents, fitted.field.centroids)
    assert not torch.equal(other.argmin(dim=1), distances.argmin(dim=1))


def test_same_seed_same_draws_and_another_seed_others():
    first, again, other = (draw_latents(draw_fitted(), SAMPLER, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.latents, again.latents)
    assert first.diagnostics == again.diagnostics
    assert not torch.equal(first.latents, other.latents)


def test_chains_that_hardly_move_stop_the_run_with_a_remedy():
    spiky = draw_fitted(temperature=1e-3, regularization=1e-6)
    with pytest.raises(TrainingError, match="hardly move") as raised:
        draw_latents(spiky, SAMPLER, seeded(1))
    assert "sampler.step_size" in raised.value.remedy


@pytest.mark.parametrize("d", [1, 2, 10])
def test_every_latent_dimension_can_be_sampled(d):
    draws = draw_latents(draw_fitted(d=d), SAMPLER.model_copy(update={"n_samples": 3}), seeded(0))
    assert draws.latents.shape == (3, d)


def test_the_warm_up_finds_a_step_size_of_the_target_acceptance():
    fitted = draw_fitted(temperature=0.3)
    adapted = SAMPLER.model_copy(update={"n_warm_up": 150, "n_steps": 60, "step_size": 1e-4, "n_samples": 200})
    diagnostics = draw_latents(fitted, adapted, seeded(1)).diagnostics
    assert diagnostics["acceptance"] == pytest.approx(adapted.target_acceptance, abs=0.1)
    assert diagnostics["step_size"] > 0.01


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("hmc", "rhvae"),
        ("geometric", "vae"),
        ("geometric", "vamp_vae"),
        ("random_walk", "rhvae"),
        ("brownian", "vae"),
        ("prior", "vae"),
        ("gaussian_mixture", "rhvae"),
        ("vamp", "vamp_vae"),
    ],
)
def test_every_sampler_is_seeded_and_says_where_its_draws_lie(trained, kind, model):
    config = SAMPLER.model_copy(update={"kind": kind, "duration": 0.01, "minimum_acceptance": 0.0, "step_size": 0.02})
    first, again, other = (draw_latents(trained[model], config, seeded(seed)) for seed in (1, 1, 2))
    assert first.latents.shape == (40, 2)
    assert first.latents.dtype == torch.float32
    assert torch.equal(first.latents, again.latents)
    assert not torch.equal(first.latents, other.latents)
    assert {"nearest_centroid_mean", "void_share"} <= set(first.diagnostics)


@pytest.mark.parametrize(("kind", "model"), [("hmc", "vae"), ("random_walk", "vamp_vae"), ("vamp", "vae")])
def test_a_law_that_the_model_does_not_have_is_refused(trained, kind, model):
    with pytest.raises(ConfigurationError, match="this model has no"):
        draw_latents(trained[model], SAMPLER.model_copy(update={"kind": kind}), seeded(1))


@pytest.mark.statistical
def test_the_prior_is_standard_normal(trained):
    config = SAMPLER.model_copy(update={"kind": "prior", "n_samples": 4_000})
    draws = draw_latents(trained["vae"], config, seeded(1)).latents
    assert draws.mean(0).abs().max() < 4 / math.sqrt(4_000)
    assert (draws.var(0) - 1).abs().max() < 4 * math.sqrt(2 / 4_000)


@pytest.mark.statistical
def test_draws_of_the_vamp_prior_have_its_mean(trained):
    config = SAMPLER.model_copy(update={"kind": "vamp", "n_samples": 4_000})
    draws = draw_latents(trained["vamp_vae"], config, seeded(1)).latents
    components = restore(trained["vamp_vae"]).components().mean
    assert ((draws.mean(0) - components.mean(0)).abs() < 4 * draws.std(0) / math.sqrt(4_000)).all()


@pytest.mark.statistical
def test_a_gaussian_mixture_has_the_mean_of_the_codes(trained):
    fitted = trained["vae"]
    config = SAMPLER.model_copy(update={"kind": "gaussian_mixture", "n_samples": 4_000, "n_components": 2})
    draws = draw_latents(fitted, config, seeded(1)).latents
    assert ((draws.mean(0) - fitted.codes.mean.mean(0)).abs() < 4 * draws.std(0) / math.sqrt(4_000)).all()


def test_many_draws_are_made_block_by_block(monkeypatch):
    monkeypatch.setattr(sampling, "DRAWN_AT_ONCE", 16)
    told = []
    draws = draw_latents(draw_fitted(), SAMPLER, seeded(1), on_block=lambda: told.append(1))
    assert draws.latents.shape == (40, 2)
    assert len(told) == count_blocks(SAMPLER) == 3
    assert len(draws.latents.unique(dim=0)) == 40
    assert draws.diagnostics["left_support"] == 0


def sampler_of(latents, **diagnostics):
    """A sampler whose blocks are these latents and diagnostics, one after the other."""
    blocks = iter(range(len(latents)))

    def draw(*_):
        block = next(blocks)
        return ChainDraws(latents[block], {name: values[block] for name, values in diagnostics.items()})

    return {"hmc": draw}


def test_blocks_are_merged_to_the_worst_the_sum_or_the_mean_over_points(monkeypatch):
    monkeypatch.setattr(sampling, "DRAWN_AT_ONCE", 2)
    fake = sampler_of(
        [torch.zeros(2, 2), torch.zeros(2, 2), torch.zeros(1, 2)],
        acceptance=[0.9, 0.5, 0.7],
        r_hat=[1.0, 1.2, 1.1],
        effective_sample_size=[10.0, 20.0, 5.0],
        energy_error=[1.0, 2.0, 6.0],
    )
    monkeypatch.setattr(sampling, "_SAMPLERS", fake)
    merged = draw_latents(draw_fitted(), SAMPLER.model_copy(update={"n_samples": 5}), seeded(1)).diagnostics
    worst_sum_and_mean = {"acceptance": 0.5, "r_hat": 1.2, "effective_sample_size": 35.0, "energy_error": 2.4}
    assert {name: merged[name] for name in worst_sum_and_mean} == pytest.approx(worst_sum_and_mean)


@pytest.mark.parametrize(
    ("temperature", "kept", "expected"),
    [(0.8, [0, 1, 2], (3.0, 3.5, 0.5)), (2.0, [0, 1, 2], (3.0, 3.5, 0.0)), (0.8, [0, 1], (4.0, 4.5, 1.0))],
)
def test_the_void_begins_at_a_multiple_of_the_width_or_of_the_largest_gap_of_the_kept_centroids(
    monkeypatch, temperature, kept, expected
):
    fitted = fitted_at(torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), temperature)
    fitted = fitted._replace(field=thin(fitted.field, torch.tensor(kept)))
    monkeypatch.setattr(sampling, "_SAMPLERS", sampler_of([torch.tensor([[4.5, 0.0], [5.5, 0.0]])]))
    config = SAMPLER.model_copy(update={"n_samples": 2, "void_distance": 3.0})
    found = draw_latents(fitted, config, seeded(1)).diagnostics
    names = ("nearest_centroid_mean", "nearest_centroid_max", "void_share")
    assert [found[name] for name in names] == pytest.approx(expected)
