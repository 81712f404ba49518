"""The node that fits a generator goes on after a kill, and names subjects instead of rows."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from cohortsmith.config.generator import TrainingConfig
from cohortsmith.models import kinds
from cohortsmith.models.divergence import TrainingDiverged
from cohortsmith.pipelines.learn.nodes import fit_generator

BRIEF = TrainingConfig(epochs=6, warm_up_epochs=2, batch_size=4, checkpoint_every=1, checkpoint_seconds=0)
GENERATOR = {"kind": "rhvae", "latent_dim": 2, "network": {"hidden": [6], "metric_hidden": [4]}}


class Killed(BaseException):
    """As sudden as a signal."""


def draw_study():
    images = np.random.default_rng(0).random((9, 3, 4, 5), dtype=np.float32)
    splits = pd.DataFrame(
        {
            "participant_id": [f"sub-{row:02d}" for row in range(9)],
            "diagnosis": ["AD", "CN", "AD", "CN", "AD", "CN", "AD", "CN", "CN"],
            "split": ["train"] * 8 + ["validation"],
            "fingerprint": [str(row) for row in range(9)],
        }
    )
    return images, splits


def fit(folder, training=BRIEF):
    return fit_generator(*draw_study(), GENERATOR, training, 1, None, folder, label="CN")


def test_a_killed_fit_goes_on_and_leaves_nothing_behind(tmp_path, monkeypatch):
    real, calls = kinds.rhvae_bound, iter(range(100))
    whole = fit(None)
    monkeypatch.setattr(kinds, "rhvae_bound", lambda *given: real(*given) if next(calls) < 2 else die())
    with pytest.raises(Killed):
        fit(tmp_path)
    assert any(tmp_path.iterdir())
    monkeypatch.setattr(kinds, "rhvae_bound", real)
    again = fit(tmp_path)
    assert again.fitted.history == whole.fitted.history
    assert all(torch.equal(again.fitted.state[name], whole.fitted.state[name]) for name in whole.fitted.state)
    assert not tmp_path.exists()


def die():
    raise Killed


def test_a_divergence_names_the_subject(monkeypatch, tmp_path):
    images, real = torch.from_numpy(draw_study()[0]).flatten(1), kinds.vae_bound

    def spoiled(model, batch, *arguments):
        bound = real(model, batch, *arguments)
        here = (batch == images[5]).all(1)
        return bound._replace(elbo=torch.where(here, math.nan, bound.elbo))

    monkeypatch.setattr(kinds, "vae_bound", spoiled)
    with pytest.raises(TrainingDiverged, match=r"(?s)generator of CN, epoch 0.*subjects sub-05\)"):
        fit(tmp_path)


@pytest.mark.parametrize(("stop_on", "seen"), [("training", None), ("validation", (1, 3, 4, 5))])
def test_validation_subjects_are_handed_over_only_where_asked_for(monkeypatch, tmp_path, stop_on, seen):
    given = []

    def watched(*_, validation, **__):
        given.append(validation)
        raise Killed

    monkeypatch.setattr("cohortsmith.pipelines.learn.fits.fit_vae", watched)
    with pytest.raises(Killed):
        fit(tmp_path, BRIEF.model_copy(update={"stop_on": stop_on}))
    assert getattr(given[0], "shape", None) == seen
