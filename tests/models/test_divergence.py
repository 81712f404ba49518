"""What a message about divergence names is what went wrong."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_rhvae import BRIEF, TINY, build_tiny, draw_batch, draw_images

from cohortsmith.config.generator import VAEConfig
from cohortsmith.errors import TrainingError
from cohortsmith.models import kinds, learner
from cohortsmith.models.checkpoint import from_checkpoint
from cohortsmith.models.divergence import Step, TrainingDiverged, explain_bound, explain_gradient, name_images
from cohortsmith.models.fitted import decode
from cohortsmith.models.resuming import FILE
from cohortsmith.models.tensor_file import open_tensors
from cohortsmith.models.training import LAST_GOOD, fit_vae

ROWS = np.array([2, 5, 7, 9])


def begin_step(phase="main"):
    images, noise = draw_batch(4)
    return build_tiny(), Step(images, ROWS, noise, phase, 1.0)


def bound_at(model, step):
    return kinds.bound_of(model, step.images, step.noise, step.phase, step.scale)


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ("reconstruction", "log p(x | z)"),
        ("kl", "KL to the prior"),
        ("residual", "fixed-point residual"),
        ("elbo", "velocity ratio of the flow"),
    ],
)
def test_the_term_that_is_no_number_is_named_with_its_images(field, named):
    model, step = begin_step()
    bound = bound_at(model, step)
    spoiled = getattr(bound, field).detach().clone()
    spoiled[2] = math.inf
    cause = explain_bound(model, step, bound._replace(**{field: spoiled}))
    assert str(cause) == f"{named} of image 7 became inf"
    assert cause.images == (7,)


@pytest.mark.parametrize("phase", ["warm-up", "main"])
def test_the_first_quantity_that_is_no_number_is_named_not_what_follows_from_it(phase):
    model, step = begin_step(phase)
    step.images[1, 0] = math.nan
    assert str(explain_bound(model, step, bound_at(model, step))) == "posterior mean of image 5 became nan"


def test_a_metric_that_overflows_is_named():
    model, step = begin_step()
    model.metric.log_diagonal.bias.data.fill_(1000.0)
    assert str(explain_bound(model, step, bound_at(model, step))).startswith(
        "metric factor of images 2, 5, 7, 9 became"
    )


def test_a_gradient_names_the_parameter_and_the_image_that_it_came_through(monkeypatch):
    model, step = begin_step("warm-up")
    step.images[3] *= 1e200  # its square, in the likelihood's gradient, is beyond float64
    monkeypatch.setattr(kinds, "vae_bound", lambda model, images, *_: Squared(images, model.decoder.logits.bias))
    bound_at(model, step).elbo.mean().backward()
    cause = explain_gradient(model, step)
    assert str(cause) == "the gradient of decoder.logits.bias through image 9 is not finite"
    assert cause.images == (9,)
    assert all(parameter.grad is None for parameter in model.parameters())


class Squared:
    """A bound whose gradient overflows where its images are large."""

    def __init__(self, images, bias):
        self.elbo = ((images + bias) ** 2).mul(1e200).mean(1)


def test_many_images_are_counted():
    assert name_images((3,)) == "image 3"
    assert name_images(tuple(range(10))) == "images 0, 1, 2, 3, 4, 5, 6, 7 and 2 more"


def test_training_records_the_term_and_the_image_as_the_training_set_numbers_it(monkeypatch):
    images = draw_images()
    real, spoiled = kinds.vae_bound, []

    def spoil_image_7(model, batch, *arguments):
        bound = real(model, batch, *arguments)
        here = (batch == torch.from_numpy(images[7]).flatten()).all(1) & (len(spoiled) < 1)
        spoiled.extend([True] * int(here.any()))
        return bound._replace(
            **{name: torch.where(here, math.nan, getattr(bound, name)) for name in ("elbo", "reconstruction")}
        )

    monkeypatch.setattr(kinds, "vae_bound", spoil_image_7)
    history = fit_vae(images, TINY, BRIEF, seed=3).history
    assert [record.rollback for record in history if record.rollback] == ["log p(x | z) of image 7 became nan"]


def diverge_from(monkeypatch, epoch):
    real = learner._step

    def diverging(started, step, training):
        return real(
            started, step._replace(images=step.images * {True: math.nan, False: 1}[reached() >= epoch]), training
        )

    epochs = []
    real_epoch = learner.learn_epoch
    monkeypatch.setattr(
        "cohortsmith.models.training.learn_epoch", lambda *given: epochs.append(given[3]) or real_epoch(*given)
    )
    monkeypatch.setattr(learner, "_step", diverging)

    def reached():
        return epochs[-1]


def test_the_last_good_model_survives_the_error_in_memory_and_in_a_file(monkeypatch, tmp_path):
    diverge_from(monkeypatch, 10)
    eager = BRIEF.model_copy(update={"checkpoint_every": 1, "checkpoint_seconds": 0.0})
    with pytest.raises(TrainingDiverged) as raised:
        fit_vae(draw_images(), TINY, eager, seed=3, checkpoint=tmp_path)
    good = raised.value.last_good
    assert str(tmp_path / LAST_GOOD) in str(raised.value)
    assert len(good.history) == 10
    assert all(value.isfinite().all() for value in good.state.values())
    with open_tensors(tmp_path / LAST_GOOD) as (tensors, plain):
        stored = from_checkpoint(dict(tensors), plain)
    latents = torch.tensor([[0.3, -1.0]])
    torch.testing.assert_close(decode(stored, latents), decode(good, latents))
    assert load_file(tmp_path / FILE)


def test_without_a_good_epoch_after_the_warm_up_there_is_no_last_good_model(monkeypatch, tmp_path):
    diverge_from(monkeypatch, BRIEF.warm_up_epochs)
    with pytest.raises(TrainingError, match="image") as raised:
        fit_vae(draw_images(), TINY, BRIEF, seed=3, checkpoint=tmp_path)
    assert raised.value.last_good is None
    assert raised.value.images
    assert not (tmp_path / LAST_GOOD).exists()


def test_a_vae_has_a_last_good_model_from_its_first_epoch_on(monkeypatch):
    diverge_from(monkeypatch, 1)
    with pytest.raises(TrainingDiverged) as raised:
        fit_vae(draw_images(), VAEConfig(latent_dim=2, network=TINY.network), BRIEF, seed=3)
    assert len(raised.value.last_good.history) == 1
