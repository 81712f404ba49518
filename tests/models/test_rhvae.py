import math

import numpy as np
import pytest
import torch
from authors_model import authors_model
from tiny_rhvae import SHAPE, TINY, build_tiny, draw_batch, draw_images
from torch.distributions import Bernoulli, Normal

from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.fitted import FittedVAE, decode, encode, reconstruct


@pytest.fixture
def fitted():
    model = build_tiny().float()
    images = torch.from_numpy(draw_images()).flatten(1)
    with torch.no_grad():
        field, codes = model.field(images), model.posterior(images)
    return FittedVAE(TINY, SHAPE, model.state_dict(), codes, field, ())


def test_the_gaussian_likelihood_is_the_sum_of_the_voxels_log_densities():
    model, (images, noise) = build_tiny(likelihood_variance=0.3), draw_batch()
    means = model.decoder(noise.latent).sigmoid()
    expected = Normal(means, math.sqrt(0.3)).log_prob(images).sum(1)
    torch.testing.assert_close(model.log_likelihood(noise.latent, images), expected)


def test_the_bernoulli_likelihood_is_the_sum_of_the_voxels_log_probabilities():
    model, (images, noise) = build_tiny(likelihood="bernoulli"), draw_batch()
    binary = images.round()
    expected = Bernoulli(logits=model.decoder(noise.latent)).log_prob(binary).sum(1)
    torch.testing.assert_close(model.log_likelihood(noise.latent, binary), expected)


@pytest.mark.parametrize(
    ("changes", "learned"),
    [({}, False), ({"learned_variance": True}, True), ({"learned_variance": True, "likelihood": "bernoulli"}, False)],
)
def test_the_variance_is_learned_only_where_that_was_asked_for_and_makes_sense(changes, learned):
    assert build_tiny(**changes).log_variance.requires_grad is learned


def test_the_field_is_made_of_the_encoded_means_and_the_metric_network():
    model, (images, _) = build_tiny(), draw_batch()
    field = model.field(images)
    standardised = (images - 0.3) / 0.2 * math.sqrt(784 / 60)
    torch.testing.assert_close(field.centroids, model.encoder(standardised)[0])
    torch.testing.assert_close(field.factors, model.metric(standardised))
    assert (field.temperature, field.regularization) == (TINY.temperature, TINY.regularization)


def test_decoded_images_have_the_shape_of_the_scans_and_lie_between_zero_and_one(fitted):
    images = decode(fitted, torch.tensor([[0.0, 0.0], [50.0, -50.0], [1.0, 2.0]]))
    assert images.shape == (3, *SHAPE)
    assert images.min() >= 0
    assert images.max() <= 1
    assert not images.requires_grad


def test_decoding_is_deterministic_and_blind_to_the_other_latents(fitted):
    latents = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(decode(fitted, latents)[2:3], decode(fitted, latents[2:3]))


def test_encoding_takes_arrays_and_gives_the_centroids_of_the_training_images(fitted):
    torch.testing.assert_close(encode(fitted, draw_images()), fitted.field.centroids)


def test_a_reconstruction_is_the_decoded_mean(fitted):
    images = draw_images(n=3)
    found = reconstruct(fitted, images)
    assert found.shape == images.shape
    np.testing.assert_allclose(found, decode(fitted, encode(fitted, images)))


def test_an_untrained_model_decodes_to_about_the_mean_image():
    mean = torch.linspace(0.0, 1.0, 60).reshape(SHAPE)
    model = build_model(TINY, SHAPE, torch.Generator().manual_seed(0), Appearance(mean, 0.2))
    with torch.no_grad():
        decoded = model.decoder(torch.zeros(1, 2)).sigmoid()
    assert (decoded - mean.flatten()).abs().max() < 0.1


@pytest.mark.real_data
def test_the_networks_compute_what_the_authors_published_model_computes(shared):
    oracle = np.load(shared / "oracles" / "rhvae_mnist_d2.npz")
    model, images = authors_model(oracle), torch.from_numpy(oracle["train_data"][:20]).flatten(1)
    with torch.no_grad():
        mean, log_variance = model.posterior(images)
        decoded, factors = model.decoder(torch.from_numpy(oracle["z"][:20])).sigmoid(), model.field(images).factors
    np.testing.assert_allclose(mean, oracle["mu20"], atol=1e-5)
    np.testing.assert_allclose(log_variance, oracle["logvar20"], atol=1e-5)
    np.testing.assert_allclose(factors, oracle["metric_L20"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(decoded, oracle["dec20"], atol=1e-5)
