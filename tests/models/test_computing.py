"""Devices and precisions: what is rounded, what is not, and what is refused."""

import contextlib

import pytest
import torch
from tiny_rhvae import BRIEF, TINY, build_tiny, draw_batch, draw_images

from cohortsmith.config.generator import NetworkConfig, VampVAEConfig
from cohortsmith.errors import ConfigurationError
from cohortsmith.models import kinds
from cohortsmith.models.computing import choose_device, half_precision
from cohortsmith.models.objective import Noise
from cohortsmith.models.training import fit_vae

ROUNDED = BRIEF.model_copy(update={"precision": "bfloat16"})
CONVOLUTIONAL = NetworkConfig(kind="convolutional", channels=(2, 3), metric_channels=(2,))


def draw_single(n=4):
    images, noise = draw_batch(n)
    return images.float(), Noise(*(draws.float() for draws in noise))


def test_a_gpu_that_is_not_there_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=r"(?s)training\.device.*no CUDA device"):
        fit_vae(draw_images(), TINY, BRIEF.model_copy(update={"device": "cuda"}), seed=0)


@pytest.mark.parametrize(
    ("asked", "available", "given"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_auto_is_the_gpu_where_there_is_one(monkeypatch, asked, available, given):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert choose_device(BRIEF.model_copy(update={"device": asked})).type == given


@pytest.mark.parametrize(
    "config",
    [TINY, VampVAEConfig(latent_dim=2, network=TINY.network), TINY.model_copy(update={"network": CONVOLUTIONAL})],
)
def test_a_model_trains_in_bfloat16_and_its_weights_stay_float32(config):
    exact, rounded = (fit_vae(draw_images(), config, training, seed=3) for training in (BRIEF, ROUNDED))
    assert rounded.history[-1].elbo > rounded.history[0].elbo
    assert rounded.history != exact.history
    assert rounded.history[0].elbo == pytest.approx(exact.history[0].elbo, rel=0.02)
    assert {value.dtype for value in rounded.state.values()} == {torch.float32}


def test_metric_and_terms_of_the_bound_stay_float32_and_close(monkeypatch):
    model = build_tiny().float()
    images, noise = draw_single()
    exact = kinds.bound_of(model, images, noise, "main")
    factors = model.field(images).factors
    with half_precision(model):
        rounded = kinds.bound_of(model, images, noise, "main")
        field = model.field(images)
    assert {values.dtype for values in rounded} == {field.factors.dtype, field.centroids.dtype} == {torch.float32}
    assert not torch.equal(rounded.elbo, exact.elbo)
    torch.testing.assert_close(rounded.elbo, exact.elbo, rtol=0.02, atol=0.1)
    torch.testing.assert_close(field.factors, factors, rtol=0.05, atol=0.01)


def test_wide_layers_round_and_heads_do_not():
    model = build_tiny().float()
    seen = {}
    for name, layer in model.named_modules():
        layer.register_forward_pre_hook(lambda layer, given, name=name: seen.update({name: given[0]}))
    real = torch.nn.functional.linear
    images, _ = draw_single()
    with half_precision(model), torch.no_grad():
        mean = model.posterior(images).mean
    features = seen["encoder.mean"]
    assert torch.equal(mean, real(features, model.encoder.mean.weight, model.encoder.mean.bias))
    first = model.encoder.trunk[0]
    exact = real(seen["encoder.trunk.0"], first.weight, first.bias)
    assert 1e-4 < (seen["encoder.trunk.1"] - exact).norm() / exact.norm() < 1e-2


def test_gradients_through_the_shared_layer_are_those_of_float32_but_for_rounding():
    gradients = []
    for rounded in (False, True):
        model = build_tiny().float()
        with {True: half_precision, False: contextlib.nullcontext}[rounded](model):
            loss = kinds.bound_of(model, *draw_single(), "main").elbo.mean()
        loss.backward()
        gradients.append(model.decoder.logits.weight.grad)
    assert gradients[1].dtype == torch.float32
    assert (gradients[1] - gradients[0]).norm() < 0.03 * gradients[0].norm()


def test_half_precision_ends_with_its_context():
    model = build_tiny().float()
    images, noise = draw_single()
    before = kinds.bound_of(model, images, noise, "main").elbo
    with half_precision(model):
        pass
    assert torch.equal(kinds.bound_of(model, images, noise, "main").elbo, before)
