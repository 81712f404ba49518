"""Validation images are looked at, never learned from."""

import math

import numpy as np
import pytest
import torch
from tiny_rhvae import BRIEF, TINY, build_tiny, draw_images

from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.models import training as course
from cohortsmith.models.training import fit_vae
from cohortsmith.models.validation import validation_elbo

WATCHED = BRIEF.model_copy(update={"stop_on": "validation"})


def follow(monkeypatch, scores):
    given = iter(scores)
    monkeypatch.setattr(course, "validation_elbo", lambda *_: next(given))


def test_looking_at_validation_images_does_not_change_what_is_learned():
    watched = fit_vae(draw_images(), TINY, WATCHED, 3, validation=draw_images(5, seed=8))
    seen = [record._replace(validation_elbo=None) for record in watched.history]
    assert tuple(seen) == fit_vae(draw_images(), TINY, BRIEF, 3).history


def test_by_default_validation_images_are_not_even_read():
    unreadable = np.full((5, 4, 5, 3), np.nan, np.float32)
    assert fit_vae(draw_images(), TINY, BRIEF, 3, validation=unreadable).history


def test_training_stops_when_the_validation_elbo_has_not_improved_for_the_patience(monkeypatch):
    follow(monkeypatch, [-5.0] * BRIEF.warm_up_epochs + [-9.0, -8.0] + [-8.5] * 100)
    patient = WATCHED.model_copy(update={"patience": 4, "epochs": 100})
    fitted = fit_vae(draw_images(), TINY, patient, 3, validation=draw_images(5, seed=8))
    assert len(fitted.history) == BRIEF.warm_up_epochs + 2 + 4


def test_the_weights_of_the_best_validation_elbo_are_kept(monkeypatch):
    seen, scores = [], iter([-9.0] * 9 + [-1.0] + [-9.0] * 100)

    def score(model, *_):
        seen.append(model.encoder.mean.weight.detach().clone())
        return next(scores)

    monkeypatch.setattr(course, "validation_elbo", score)
    fitted = fit_vae(draw_images(), TINY, WATCHED, 3, validation=draw_images(5, seed=8))
    assert torch.equal(fitted.state["encoder.mean.weight"], seen[9])


def test_a_validation_elbo_that_is_no_number_is_never_the_best(monkeypatch):
    follow(monkeypatch, [np.nan] * 100)
    patient = WATCHED.model_copy(update={"patience": 3})
    fitted = fit_vae(draw_images(), TINY, patient, 3, validation=draw_images(5, seed=8))
    assert len(fitted.history) == BRIEF.warm_up_epochs + 3


def test_the_metric_is_that_of_the_training_images_and_the_noise_the_same_at_every_call():
    model = build_tiny().float()
    arguments = (draw_images(5, seed=8), draw_images(), 6, 3, "main", 1.0)
    first = validation_elbo(model, *arguments)
    assert validation_elbo(model, *arguments) == first
    assert validation_elbo(model, arguments[0], arguments[0], *arguments[2:]) != first
    assert validation_elbo(model, *arguments[:3], 4, *arguments[4:]) != first
    in_parts = [validation_elbo(model, arguments[0], arguments[1], 6, 3, phase, 1.0) for phase in ("warm-up", "main")]
    assert in_parts[0] != in_parts[1]


@pytest.mark.parametrize("validation", [None, draw_images(0), draw_images(3, shape=(4, 5, 4))])
def test_missing_validation_images_are_refused_before_training(validation):
    with pytest.raises(ConfigurationError, match="stop_on"):
        fit_vae(draw_images(), TINY, WATCHED, 3, validation=validation)


def test_validation_images_out_of_range_are_refused():
    with pytest.raises(StudyError, match="voxels in"):
        fit_vae(draw_images(), TINY, WATCHED, 3, validation=draw_images(3) + 2)


def test_the_history_keeps_the_bound_of_the_validation_images():
    images = draw_images()
    history = fit_vae(images, TINY, WATCHED, seed=3, validation=draw_images(n=4, seed=9)).history
    assert all(math.isfinite(record.validation_elbo) for record in history)
    assert len({record.validation_elbo for record in history}) == len(history)
    assert all(record.validation_elbo is None for record in fit_vae(images, TINY, BRIEF, seed=3).history)
