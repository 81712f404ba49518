"""A generator on disk is whole or absent, whatever killed the run before."""

import torch
from tiny_rhvae import BRIEF, TINY, draw_images

from cohortsmith.datasets.generator_dataset import GeneratorDataset
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.training import fit_vae


def test_what_a_killed_save_left_behind_is_cleared(tmp_path):
    left = tmp_path / ".generator.safetensors.part"
    left.mkdir()
    (left / ".tmpAb1").write_bytes(b"half a file")
    generator = TrainedGenerator(fit_vae(draw_images(), TINY, BRIEF, 0), "AD", ("sub-1",), "mark", 3)
    dataset = GeneratorDataset(filepath=str(tmp_path / "generator.safetensors"))

    dataset.save(generator)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["generator.json", "generator.safetensors"]
    loaded = dataset.load()
    assert (loaded.label, loaded.subjects, loaded.seed) == ("AD", ("sub-1",), 3)
    torch.testing.assert_close(loaded.fitted.codes, generator.fitted.codes, rtol=0, atol=0)
