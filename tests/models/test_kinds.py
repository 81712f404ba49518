import math

import numpy as np
import pytest
import torch
from finite_differences import assert_exact
from tiny_rhvae import BRIEF, SHAPE, TINY, draw_batch, draw_images

from cohortsmith.config.generator import BetaVAEConfig, HVAEConfig, RHVAEConfig, VAEConfig, VampVAEConfig
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.fitted import decode, reconstruct
from cohortsmith.models.kinds import bound_of
from cohortsmith.models.objective import vae_bound
from cohortsmith.models.training import fit_vae

COMMON = {"latent_dim": 2, "likelihood_variance": 0.05, "network": TINY.network}
CONFIGS = {
    "vae": VAEConfig(**COMMON),
    "beta_vae": BetaVAEConfig(**COMMON, beta=3.0),
    "vamp_vae": VampVAEConfig(**COMMON, n_pseudo_inputs=3),
    "hvae": HVAEConfig(**COMMON, step_size=0.02, learned=("step_size", "sqrt_beta_zero")),
    "rhvae": RHVAEConfig(
        **COMMON, step_size=0.005, learned=("temperature", "regularization", "step_size", "sqrt_beta_zero")
    ),
}
KINDS = list(CONFIGS)


def build(kind, seed=0):
    appearance = Appearance(torch.full(SHAPE, 0.3), 0.2)
    model = build_model(CONFIGS[kind], SHAPE, torch.Generator().manual_seed(seed), appearance).double()
    for start_at in [model.start_at] if kind == "vamp_vae" else []:
        start_at(0.2 + 0.5 * torch.from_numpy(draw_images(3, seed=5)).double().flatten(1))
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_every_bound_is_that_of_finite_differences_with_frozen_noise(kind):
    model, (images, noise) = build(kind), draw_batch()
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}

    def loss():
        return -bound_of(model, images, noise, "main").elbo.mean()

    assert_exact(loss, learned)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_and_reconstructs(kind):
    images = draw_images(n=16)
    longer = BRIEF.model_copy(update={"epochs": 160, "warm_up_epochs": 140, "learning_rate": 5e-3, "patience": 1000})
    sharp = CONFIGS[kind].model_copy(update={"likelihood_variance": 1e-3})
    fitted = fit_vae(images, sharp, longer, seed=0)
    found = reconstruct(fitted, images).numpy()
    assert np.square(found - images).mean() < 0.5 * np.square(images.mean(0) - images).mean()
    assert fitted.history[-1].elbo > fitted.history[0].elbo
    assert decode(fitted, torch.zeros(2, 2)).shape == (2, *SHAPE)
    assert fitted.codes.mean.shape == fitted.codes.log_variance.shape == (16, 2)
    assert (fitted.field is not None) == (kind == "rhvae")


def test_beta_weighs_the_divergence():
    model, (images, noise) = build("beta_vae"), draw_batch()
    plain, weighted = vae_bound(model, images, noise), bound_of(model, images, noise, "main")
    torch.testing.assert_close(weighted.elbo, plain.elbo - 2.0 * plain.kl)


@pytest.mark.parametrize("kind", ["hvae", "rhvae"])
def test_a_model_with_a_flow_begins_as_a_plain_vae(kind):
    model, (images, noise) = build(kind), draw_batch()
    torch.testing.assert_close(bound_of(model, images, noise, "warm-up").elbo, vae_bound(model, images, noise).elbo)
    assert not torch.allclose(bound_of(model, images, noise, "main").elbo, vae_bound(model, images, noise).elbo)


@pytest.mark.parametrize("kind", ["hvae", "rhvae"])
def test_the_scale_is_that_of_the_leapfrog_step(kind):
    model, (images, noise) = build(kind), draw_batch()
    whole, tenth = (bound_of(model, images, noise, "main", scale).shift.mean().item() for scale in (0.1, 0.01))
    assert tenth == pytest.approx(0.1 * whole, rel=0.05)


def test_the_vamp_prior_is_the_mixture_of_the_posteriors_at_the_pseudo_inputs():
    model = build("vamp_vae")
    z = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    components = model.components()
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(3, dtype=torch.float64)),
        torch.distributions.Independent(
            torch.distributions.Normal(components.mean, (0.5 * components.log_variance).exp()), 1
        ),
    )
    torch.testing.assert_close(model.log_prior(z), mixture.log_prob(z))


def test_pseudo_inputs_start_at_training_images_and_are_learned():
    images = draw_images()
    still = fit_vae(images, CONFIGS["vamp_vae"], BRIEF.model_copy(update={"epochs": 7, "learning_rate": 1e-12}), seed=1)
    pseudo = still.state["pseudo_inputs"]
    distances = torch.cdist(pseudo, torch.from_numpy(images).flatten(1)).amin(1)
    assert distances.max() < 1e-5
    moved = fit_vae(images, CONFIGS["vamp_vae"], BRIEF, seed=1)
    assert (moved.state["pseudo_inputs"] - pseudo).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["hvae", "rhvae"])
def test_learned_settings_start_at_the_configuration_and_end_in_it(kind):
    config = CONFIGS[kind]
    model = build(kind)
    assert model.flow.learned_values() == pytest.approx({name: getattr(config, name) for name in config.learned})
    fitted = fit_vae(draw_images(), config, BRIEF.model_copy(update={"epochs": 80, "patience": 1000}), seed=1)
    for name in config.learned:
        value = getattr(fitted.config, name)
        assert value != pytest.approx(getattr(config, name), rel=1e-4)
        assert math.isfinite(value)
        assert value > 0
    assert fitted.field is None or fitted.field.temperature == pytest.approx(fitted.config.temperature)
