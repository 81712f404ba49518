import json
import math

import numpy as np
import pytest
import torch
from finite_differences import assert_exact
from safetensors.torch import load, save
from tiny_rhvae import BRIEF, SHAPE, TINY, draw_batch, draw_images

from cohortsmith.config.generator import NetworkConfig, VAEConfig
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.checkpoint import from_checkpoint, to_checkpoint
from cohortsmith.models.convolutional import halved
from cohortsmith.models.fitted import decode, reconstruct
from cohortsmith.models.objective import integrator_of, rhvae_bound
from cohortsmith.models.training import fit_vae

NETWORK = NetworkConfig(kind="convolutional", channels=(3, 4), metric_channels=(2,), activation="elu")
CONVOLUTIONAL = TINY.model_copy(update={"network": NETWORK})
SHAPES = [(42, 52, 45), (88, 104), (28, 28), (5, 7, 6), (1, 3), (9, 2, 1)]


def build(shape=SHAPE, seed=0, config=CONVOLUTIONAL):
    mean = torch.linspace(0.1, 0.9, math.prod(shape)).reshape(shape)
    return build_model(config, shape, torch.Generator().manual_seed(seed), Appearance(mean, 0.2)).requires_grad_()


@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_any_sides_go_in_and_come_out(shape):
    model = build(shape, config=TINY.model_copy(update={"network": NetworkConfig(kind="convolutional")}))
    images = torch.rand(2, math.prod(shape), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        posterior, factors = model.posterior(images), model.metric(model.standardise(images))
        assert posterior.mean.shape == posterior.log_variance.shape == (2, 2)
        assert model.decoder(posterior.mean).shape == images.shape
    assert factors.shape == (2, 2, 2)
    assert torch.equal(factors, factors.tril())
    assert (factors.diagonal(dim1=1, dim2=2) > 0).all()


def test_sides_are_halved_and_rounded_up():
    assert halved((42, 7, 1), 3) == [(42, 7, 1), (21, 4, 1), (11, 2, 1), (6, 1, 1)]


@pytest.mark.parametrize("shape", [(9, 7), (6, 7, 5)])
def test_every_voxel_is_seen_and_drawn(shape):
    model = build(shape)
    image = torch.full((1, math.prod(shape)), 0.3, requires_grad=True)
    (seen,) = torch.autograd.grad(model.encoder(image)[0].sum(), image)
    assert (seen != 0).all()
    with torch.no_grad():
        first, second = model.decoder(torch.tensor([[0.5, 0.5], [-2.0, 1.0]]))
    assert (first != second).all()


def test_an_untrained_model_decodes_to_about_the_mean_image():
    model = build((14, 15))
    latents = torch.randn(20, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        away = model.decoder(latents).sigmoid() - model.standardise.centre
    assert away.square().mean().sqrt() < 0.03
    assert away.abs().max() > 1e-4  # yet not the same image everywhere


@pytest.mark.parametrize("shape", [(6, 7), (4, 5, 3)])
def test_every_weight_comes_from_the_generator_alone(shape):
    first, again, other = build(shape), build(shape), build(shape, seed=1)
    pairs = zip(first.named_parameters(), again.parameters(), other.parameters(), strict=True)
    same_in_all = {name for (name, p), q, r in pairs if torch.equal(p, q) and torch.equal(p, r)}
    assert same_in_all == {"log_variance", "decoder.voxels"}
    assert all(torch.equal(*pair) for pair in zip(first.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["mlp", "convolutional"])
def test_no_tensor_of_a_new_model_is_left_to_chance(kind):
    torch.use_deterministic_algorithms(True)  # then memory that nothing has written holds NaN
    try:
        model = build(config=TINY.model_copy(update={"network": NETWORK.model_copy(update={"kind": kind})}))
        unwritten = [name for name, value in model.state_dict().items() if not torch.isfinite(value).all()]
    finally:
        torch.use_deterministic_algorithms(False)
    assert unwritten == []


def test_features_do_not_depend_on_the_other_images_of_a_batch():
    model, (images, _) = build().double(), draw_batch()
    together, alone = model.posterior(images), model.posterior(images[:1])
    torch.testing.assert_close(together.mean[:1], alone.mean)
    torch.testing.assert_close(model.decoder(together.mean)[:1], model.decoder(alone.mean))


@pytest.mark.parametrize(("shape", "activation"), [((4, 5, 3), "elu"), ((4, 5, 3), "relu"), ((6, 10), "elu")])
def test_the_training_gradient_is_that_of_finite_differences_with_frozen_noise(shape, activation):
    network = NETWORK.model_copy(update={"activation": activation})
    model = build(shape, config=TINY.model_copy(update={"network": network})).double()
    images, noise = draw_batch()
    learned = dict(model.named_parameters())

    def loss():
        return -rhvae_bound(model, images, noise, integrator_of(model)).elbo.mean()

    assert_exact(loss, learned)


@pytest.mark.parametrize("shape", [(9, 11), (5, 7, 6)])
def test_training_reconstructs_better_than_the_mean_image(shape):
    images = draw_images(n=16, shape=shape)
    config = VAEConfig(**TINY.model_dump(include={"latent_dim"}), likelihood_variance=1e-3, network=NETWORK)
    longer = BRIEF.model_copy(update={"epochs": 100, "learning_rate": 5e-3})
    found = reconstruct(fit_vae(images, config, longer, seed=0), images).numpy()
    assert np.square(found - images).mean() < 0.3 * np.square(images.mean(0) - images).mean()


def test_a_trained_model_survives_its_checkpoint():
    fitted = fit_vae(draw_images(), CONVOLUTIONAL, BRIEF, seed=3)
    tensors, plain = to_checkpoint(fitted)
    again = from_checkpoint(load(save(tensors)), json.loads(json.dumps(plain, allow_nan=False)))
    latents = torch.tensor([[0.3, -1.0]])
    assert again.config == fitted.config
    assert torch.equal(decode(again, latents), decode(fitted, latents))
    assert torch.equal(again.field.factors, fitted.field.factors)
    assert fitted.history[-1].flow_shift > 0
