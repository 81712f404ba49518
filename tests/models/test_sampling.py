import pytest
import torch

from cohortsmith.config.generator import SamplerConfig
from cohortsmith.core.metric import MetricField
from cohortsmith.core.support import contains
from cohortsmith.errors import TrainingError
from cohortsmith.models.sampling import draw_latents, support_of

SAMPLER = SamplerConfig(n_samples=40, n_steps=24, n_leapfrog=5, step_size=0.1)


def draw_field(d=2, temperature=0.8, regularization=1e-2):
    centroids = torch.randn(9, d, generator=torch.Generator().manual_seed(0))
    return MetricField(centroids, torch.eye(d).expand(9, d, d).contiguous(), temperature, regularization)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_draws_lie_in_the_support_and_come_with_their_diagnostics():
    field = draw_field()
    draws = draw_latents(field, SAMPLER, seeded(1))
    assert draws.latents.shape == (40, 2)
    assert contains(support_of(field, SAMPLER), draws.latents).all()
    assert set(draws.diagnostics) == {
        "acceptance",
        "energy_error",
        "support_radius",
        "r_hat",
        "effective_sample_size",
        "nearest_centroid_mean",
        "nearest_centroid_max",
        "void_share",
    }
    assert all(isinstance(value, float) for value in draws.diagnostics.values())
    assert draws.diagnostics["acceptance"] > 0.8


def test_the_support_is_the_ball_of_the_thesis():
    field = draw_field()
    assert support_of(field, SAMPLER).radius == pytest.approx(2 * field.centroids.norm(dim=1).max().item())


def test_a_reach_keeps_every_draw_near_a_centroid():
    field = draw_field(d=10, temperature=0.5, regularization=10.0)  # nearly flat: draws wander off
    near = SAMPLER.model_copy(update={"support_reach": 0.5, "minimum_acceptance": 0.0})
    wide, tight = (draw_latents(field, config, seeded(1)).diagnostics for config in (SAMPLER, near))
    assert tight["nearest_centroid_max"] <= support_of(field, near).reach + 1e-5
    assert wide["nearest_centroid_max"] > support_of(field, near).reach


def test_chains_start_at_the_centroids():
    field = draw_field()
    still = SAMPLER.model_copy(update={"step_size": 1e-6, "n_steps": 4})
    draws = draw_latents(field, still, seeded(1))
    distances = torch.cdist(draws.latents, field.centroids)
    assert distances.amin(dim=1).max() < 1e-3
    assert len(distances.argmin(dim=1).unique()) > 4
    other = torch.cdist(draw_latents(field, still, seeded(2)).latents, field.centroids)
    assert not torch.equal(other.argmin(dim=1), distances.argmin(dim=1))


def test_same_seed_same_draws_and_another_seed_others():
    first, again, other = (draw_latents(draw_field(), SAMPLER, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.latents, again.latents)
    assert first.diagnostics == again.diagnostics
    assert not torch.equal(first.latents, other.latents)


def test_chains_that_hardly_move_stop_the_run_with_a_remedy():
    spiky = draw_field(temperature=1e-3, regularization=1e-6)
    with pytest.raises(TrainingError, match="hardly move") as raised:
        draw_latents(spiky, SAMPLER, seeded(1))
    assert "sampler.step_size" in raised.value.remedy


@pytest.mark.parametrize("d", [1, 2, 10])
def test_every_latent_dimension_can_be_sampled(d):
    draws = draw_latents(draw_field(d=d), SAMPLER.model_copy(update={"n_samples": 3}), seeded(0))
    assert draws.latents.shape == (3, d)
