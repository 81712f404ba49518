"""A network's file gives back the same network, says whom it saw, and never half of it."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cohortsmith.config.classifier import CustomConfig
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.classifier_batches import Labelled, source_of
from cohortsmith.models.classifier_file import read_about, read_classifier_file, write_classifier
from cohortsmith.models.classifier_training import ArmJob, ClassifierFit, predict, run_arm

IMAGES = np.random.default_rng(0).random((8, 6, 5), dtype=np.float32)
DATA = Labelled(IMAGES, np.arange(8) % 2)
ABOUT = {"arm": "real", "seed": 3, "fingerprint": "mark", "subjects": ["sub-1"]}


@pytest.fixture(scope="module")
def fit() -> ClassifierFit:
    config = CustomConfig(channels=(2,), strides=(1,), dense=(4,), batch_size=4, optimizer_steps=4, evaluations=2)
    return run_arm(ArmJob("real", 3, DATA, None, DATA, {}, config)).fit


def test_what_is_read_says_the_same_of_every_image_and_knows_its_training(fit, tmp_path):
    write_classifier(tmp_path / "new" / "one.safetensors", fit, ABOUT)
    again = read_classifier_file(tmp_path / "new" / "one.safetensors")

    assert np.array_equal(predict(again, source_of(DATA)), predict(fit, source_of(DATA)))
    assert (again.config, again.shape, again.best_step, again.history) == (
        fit.config,
        fit.shape,
        fit.best_step,
        fit.history,
    )
    assert read_about(tmp_path / "new" / "one.safetensors") == ABOUT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["one.safetensors"]


@pytest.mark.parametrize("content", [None, b"", b"half a file"])
def test_what_holds_no_network_is_refused_by_name_and_says_nothing(content, tmp_path):
    path = tmp_path / "one.safetensors"
    if content is not None:
        path.write_bytes(content)

    assert read_about(path) == {}
    with pytest.raises(ConfigurationError, match="cannot be read") as refusal:
        read_classifier_file(path)
    assert refusal.value.where == "one.safetensors"


def test_a_generators_weights_are_no_classifier(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "generator.safetensors", {"format": "pt"})

    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_classifier_file(tmp_path / "generator.safetensors")
