"""A generator's two files: whole or absent, whenever the writer is killed."""

import numpy as np
import pytest
import torch

from cohortsmith.config.generator import NetworkConfig, TrainingConfig, VAEConfig
from cohortsmith.models import generator_file
from cohortsmith.models.fitted import decode
from cohortsmith.models.generator_file import read_generator_file, read_provenance, write_generator
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.training import fit_vae


@pytest.fixture(scope="module")
def trained() -> TrainedGenerator:
    images = np.random.default_rng(0).random((6, 3, 5), dtype=np.float32)
    config = VAEConfig(latent_dim=2, network=NetworkConfig(hidden=(4,)))
    fitted = fit_vae(images, config, TrainingConfig(epochs=2, warm_up_epochs=0), 1)
    return TrainedGenerator(fitted, "AD", ("sub-1", "sub-2"), "mark", 1)


def test_what_is_read_is_what_was_written(trained, tmp_path):
    path = tmp_path / "new" / "generator.safetensors"
    write_generator(path, trained)
    again = read_generator_file(path)

    assert again[1:] == trained[1:]
    points = torch.randn(3, 2)
    assert torch.equal(decode(again.fitted, points), decode(trained.fitted, points))
    assert read_provenance(path) == {"label": "AD", "subjects": ["sub-1", "sub-2"], "fingerprint": "mark", "seed": 1}


def test_nothing_else_is_left_in_the_folder(trained, tmp_path):
    write_generator(tmp_path / "generator.safetensors", trained)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["generator.json", "generator.safetensors"]


@pytest.mark.parametrize("killed_at", ["write_tensors", "json.dump"])
def test_a_writer_killed_at_any_point_leaves_no_generator_at_all(trained, tmp_path, monkeypatch, killed_at):
    path = tmp_path / "generator.safetensors"
    write_generator(path, trained)

    def die(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{generator_file.__name__}.{killed_at}", die)
    with pytest.raises(KeyboardInterrupt):
        write_generator(path, trained._replace(fingerprint="new"))

    assert read_provenance(path) is None


def test_weights_or_a_description_alone_are_no_generator(trained, tmp_path):
    path = tmp_path / "generator.safetensors"
    write_generator(path, trained)
    path.unlink()

    assert read_provenance(path) is None
