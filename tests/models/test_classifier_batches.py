"""Every batch is balanced, and every arm sees what its name says and nothing else."""

import numpy as np
import pytest
import torch

from cohortsmith.config.judge import ClassicAugmentationConfig
from cohortsmith.errors import StudyError
from cohortsmith.models.classifier_batches import Labelled, batch_source, draw_balanced, opened, permute_labels

CLASSIC = ClassicAugmentationConfig()


def labelled(values: list[float], labels: list[int]) -> Labelled:
    """Constant images: the value says which one was drawn."""
    images = np.broadcast_to(np.array(values, dtype=np.float32)[:, None, None], (len(values), 5, 4))
    return Labelled(images, np.array(labels))


REAL = labelled([0.1, 0.2, 0.3, 0.4, 0.5], [0, 0, 0, 0, 1])
SYNTHETIC = labelled([0.91, 0.92], [0, 1])


def draw(arm: str, size: int = 40, synthetic: Labelled | None = SYNTHETIC, seed: int = 0):
    source = batch_source(arm, REAL, synthetic, size, CLASSIC, seed)
    images, labels = source(torch.Generator().manual_seed(3))
    return images, labels, images[:, 0, 0, 0].numpy().round(2)


@pytest.mark.parametrize("arm", ["real", "real+classic", "synthetic", "real+synthetic", "random-labels"])
def test_half_of_every_batch_is_of_each_class(arm: str) -> None:
    images, labels, _ = draw(arm)
    assert images.shape == (40, 1, 5, 4)
    assert images.dtype == torch.float32
    assert labels.sum() == 20


def test_real_batches_hold_real_images_under_their_own_label() -> None:
    _, labels, values = draw("real")
    assert np.unique(values[labels == 0]) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert np.unique(values[labels == 1]) == pytest.approx([0.5])


def test_synthetic_batches_hold_no_real_image() -> None:
    _, labels, values = draw("synthetic")
    assert set(values[labels == 0]) == {np.float32(0.91)}
    assert set(values[labels == 1]) == {np.float32(0.92)}


def test_half_of_every_mixed_batch_is_real_within_each_class() -> None:
    _, labels, values = draw("real+synthetic")
    assert [(values[labels == label] < 0.9).sum() for label in (0, 1)] == [10, 10]


def test_classic_batches_are_changed_real_images() -> None:
    images, _, _ = draw("real+classic")
    assert images.std((1, 2, 3)).min() > 0


def test_random_labels_are_the_true_ones_permuted_by_the_seed() -> None:
    one, same, other = (permute_labels(REAL._replace(labels=np.arange(5)), seed).labels for seed in (1, 1, 2))
    assert sorted(one) == [0, 1, 2, 3, 4]
    assert one.tolist() == same.tolist() != other.tolist()


def test_the_random_label_arm_trains_on_permuted_labels() -> None:
    called_patient = set()
    for seed in range(20):
        _, labels, values = draw("random-labels", seed=seed)
        called_patient |= set(values[labels == 1].tolist())
    assert len(called_patient) == 5


@pytest.mark.parametrize("arm", ["synthetic", "real+synthetic"])
def test_an_arm_without_its_synthetic_images_is_refused(arm: str) -> None:
    with pytest.raises(StudyError, match="needs synthetic images"):
        draw(arm, synthetic=None)


def test_a_class_without_images_is_refused() -> None:
    with pytest.raises(StudyError, match="no image to train on"):
        draw_balanced(opened(labelled([0.1], [0])), 4, torch.Generator())


def test_rows_choose_images_of_a_file_read_by_memory_map(tmp_path) -> None:
    np.save(tmp_path / "images.npy", REAL.images)
    data = Labelled(tmp_path / "images.npy", np.array([1, 0]), np.array([3, 2]))
    assert isinstance(opened(data).images, np.memmap)
    images, labels = draw_balanced(opened(data), 4, torch.Generator().manual_seed(0))
    assert images[:, 0, 0, 0].numpy() == pytest.approx([0.3, 0.3, 0.4, 0.4])
    assert labels.tolist() == [0, 0, 1, 1]
