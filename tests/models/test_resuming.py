"""A training that was killed goes on to the result that it would have had."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_rhvae import BRIEF, TINY, draw_images

from cohortsmith.config.generator import HVAEConfig, VampVAEConfig
from cohortsmith.models import tensor_file, weights
from cohortsmith.models.learner import Learner
from cohortsmith.models.resuming import _SCALARS, FILE, mark_of
from cohortsmith.models.tensor_file import open_tensors, write_tensors
from cohortsmith.models.training import fit_vae

EAGER = BRIEF.model_copy(update={"checkpoint_every": 1, "checkpoint_seconds": 0.0})
VAMP = VampVAEConfig(latent_dim=2, network=TINY.network, likelihood_variance=0.05, n_pseudo_inputs=3)
HAMILTONIAN = HVAEConfig(latent_dim=2, network=TINY.network, likelihood_variance=0.05)
CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from test_resuming import EAGER, TINY, VAMP, draw_images, fit_vae
import torch
torch.set_num_threads(1)
fit_vae(draw_images(), {config}, EAGER.model_copy(update={changes!r}), 3, lambda *_: time.sleep(0.05),
        checkpoint=Path({folder!r}))
"""


class Killed(BaseException):
    """As sudden as a signal, for a test in one process."""


def killed_after(epoch):
    def kill(reached, _):
        if reached == epoch:
            raise Killed

    return kill


def interrupt(folder, epoch, config=TINY, training=EAGER, **more):
    with pytest.raises(Killed):
        fit_vae(draw_images(), config, training, 3, killed_after(epoch), checkpoint=folder, **more)


def assert_same(first, second):
    assert first.history == second.history
    assert first.config == second.config
    assert all(torch.equal(first.state[name], second.state[name]) for name in second.state)
    assert all(torch.equal(*pair) for pair in zip(first.codes, second.codes, strict=True))


@pytest.mark.parametrize("config", [TINY, VAMP, HAMILTONIAN], ids=lambda config: config.kind)
@pytest.mark.parametrize("epoch", [3, BRIEF.warm_up_epochs, 11])
def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(tmp_path, config, epoch):
    interrupt(tmp_path, epoch, config)
    told = []
    resumed = fit_vae(draw_images(), config, EAGER, 3, lambda *row: told.append(row), checkpoint=tmp_path)
    assert_same(resumed, fit_vae(draw_images(), config, BRIEF, 3))
    assert [epoch for epoch, _ in told] == list(range(BRIEF.epochs))
    assert not tmp_path.exists() or not any(tmp_path.iterdir())


def test_a_resumed_training_begins_after_its_checkpoint(tmp_path, monkeypatch):
    interrupt(tmp_path, 9)
    learned = []
    monkeypatch.setattr("cohortsmith.models.training.learn_epoch", lambda *given: learned.append(given[3]) or stop())

    def stop():
        raise Killed

    with pytest.raises(Killed):
        fit_vae(draw_images(), TINY, EAGER, 3, checkpoint=tmp_path)
    assert learned == [9]  # the ninth was learned, but not yet written


@pytest.mark.parametrize(
    "changes", [{"precision": "bfloat16"}, {"schedule": "plateau", "schedule_patience": 1}, {"flow_ramp_epochs": 4}]
)
def test_every_way_of_training_can_be_interrupted(tmp_path, changes):
    interrupt(tmp_path, 10, training=EAGER.model_copy(update=changes))
    resumed = fit_vae(draw_images(), TINY, EAGER.model_copy(update=changes), 3, checkpoint=tmp_path)
    assert_same(resumed, fit_vae(draw_images(), TINY, BRIEF.model_copy(update=changes), 3))


def test_weights_kept_on_disk_give_the_same_fit_also_after_an_interruption(tmp_path, monkeypatch, caplog):
    whole = fit_vae(draw_images(), TINY, BRIEF, 3)
    monkeypatch.setattr(weights, "LARGE", 0)
    sparse = EAGER.model_copy(update={"checkpoint_every": 4})
    interrupt(tmp_path, 10, training=sparse)
    assert list(tmp_path.glob("weights-*.safetensors"))
    assert_same(fit_vae(draw_images(), TINY, sparse, 3, checkpoint=tmp_path), whole)
    assert "starts anew" not in caplog.text
    assert not tmp_path.exists()


@pytest.mark.parametrize("other", ["images", "seed", "settings"])
def test_a_checkpoint_of_something_else_is_ignored_and_said_so(tmp_path, caplog, other):
    interrupt(tmp_path, 9)
    images, seed = draw_images(), {"seed": 4}.get(other, 3)
    images[0, 0, 0, 0] += {"images": 0.01}.get(other, 0.0)
    training = EAGER.model_copy(update={"learning_rate": {"settings": 1e-3}.get(other, BRIEF.learning_rate)})
    resumed = fit_vae(images, TINY, training, seed, checkpoint=tmp_path)
    assert "is of other images or settings: training starts anew" in caplog.text
    assert_same(resumed, fit_vae(images, TINY, training, seed))


@pytest.mark.parametrize("spoiled", [b"", b"not tensors", b"\x00" * 5000])
def test_a_checkpoint_that_is_none_is_ignored_and_said_so(tmp_path, caplog, spoiled):
    (tmp_path / FILE).write_bytes(spoiled)
    resumed = fit_vae(draw_images(), TINY, EAGER, 3, checkpoint=tmp_path)
    assert "cannot be read" in caplog.text
    assert_same(resumed, fit_vae(draw_images(), TINY, BRIEF, 3))


def test_how_often_checkpoints_are_written_changes_neither_result_nor_mark(tmp_path):
    device = torch.device("cpu")
    assert mark_of([draw_images()], TINY, EAGER, 3, device) == mark_of([draw_images()], TINY, BRIEF, 3, device)
    assert_same(fit_vae(draw_images(), TINY, EAGER, 3, checkpoint=tmp_path), fit_vae(draw_images(), TINY, BRIEF, 3))


@pytest.mark.parametrize(
    "other",
    [
        {"images": [draw_images() + np.float32(1e-6)]},
        {"images": [draw_images().reshape(11, 5, 4, 3)]},
        {"images": [draw_images(), draw_images()]},
        {"config": TINY.model_copy(update={"temperature": 1.1})},
        {"training": EAGER.model_copy(update={"patience": 51})},
        {"seed": 4},
        {"device": torch.device("meta")},
    ],
)
def test_whatever_changes_the_result_changes_the_mark(other):
    given = {
        "images": [draw_images()],
        "config": TINY,
        "training": EAGER,
        "seed": 3,
        "device": torch.device("cpu"),
    }
    assert mark_of(**{**given, **other}) != mark_of(**given)


def test_all_that_training_changes_is_in_the_checkpoint():
    changed = {field.name for field in dataclasses.fields(Learner)} - {"model", "optimizer", "weights"}
    assert changed == set(_SCALARS)


@pytest.mark.parametrize("name", ["training", "weights-3"])
def test_nothing_that_an_interrupted_write_left_outlives_the_fit(tmp_path, name):
    part = tmp_path / f".{name}.safetensors.part"
    part.mkdir()
    (part / ".tmpA1b2C3").write_bytes(b"half")  # as safetensors names what it is writing
    fit_vae(draw_images(), TINY, EAGER, 3, checkpoint=tmp_path)
    assert not tmp_path.exists()


def test_a_killed_write_of_tensors_leaves_nothing_outside_its_own_folder(tmp_path, monkeypatch):
    seen = []
    real = tensor_file.save_file
    monkeypatch.setattr(tensor_file, "save_file", lambda *given: seen.append(given[1].parent) or real(*given))
    write_tensors(tmp_path / FILE, {"a": torch.ones(3)}, {})
    assert seen == [tmp_path / f".{FILE}.part"]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_checkpoints_wait_for_the_epochs_and_for_the_seconds(tmp_path):
    patient = EAGER.model_copy(update={"checkpoint_every": 5})
    written = []
    fit_vae(draw_images(), TINY, patient, 3, lambda *_: written.append((tmp_path / FILE).exists()), checkpoint=tmp_path)
    assert written == [epoch > 4 for epoch in range(BRIEF.epochs)]
    slow = EAGER.model_copy(update={"checkpoint_seconds": 1000.0})
    interrupt(tmp_path, 10, training=slow)
    assert not (tmp_path / FILE).exists()


def test_an_interrupted_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / FILE
    write_tensors(path, {"a": torch.ones(3)}, {"epoch": 1})

    def die(*_):
        raise Killed

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(Killed):
        write_tensors(path, {"a": torch.zeros(3)}, {"epoch": 2})
    with open_tensors(path) as (tensors, plain):
        assert torch.equal(tensors["a"], torch.ones(3)) and plain == {"epoch": 1}


@pytest.mark.slow
@pytest.mark.parametrize("config", ["TINY", "VAMP"])
def test_a_process_that_is_killed_goes_on_to_the_same_result(tmp_path, config):
    given = {"TINY": TINY, "VAMP": VAMP}[config]
    changes = {"epochs": 40}
    code = CHILD.format(here=str(Path(__file__).parent), config=config, changes=changes, folder=str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"})
    wait_for(tmp_path / FILE, child)
    time.sleep(0.4)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    with open_tensors(tmp_path / FILE) as (_, plain):
        assert 0 < len(plain["history"]) < 40
    longer = EAGER.model_copy(update=changes)
    assert_same(fit_vae(draw_images(), given, longer, 3, checkpoint=tmp_path), fit_vae(draw_images(), given, longer, 3))


def wait_for(path, child):
    give_up = time.monotonic() + 60
    while not path.exists():
        assert child.poll() is None and time.monotonic() < give_up
        time.sleep(0.02)


def test_numbers_that_are_none_survive(tmp_path):
    write_tensors(tmp_path / "x.safetensors", {"a": torch.ones(1)}, {"best": -np.inf})
    with open_tensors(tmp_path / "x.safetensors") as (_, plain):
        assert plain == {"best": -np.inf}
