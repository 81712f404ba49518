"""Every batch is balanced, and every arm sees what its name says and nothing else."""

from typing import get_args

import numpy as np
import pytest
import torch

from cohortsmith.config.judge import Arm, ClassicAugmentationConfig
from cohortsmith.errors import StudyError
from cohortsmith.models.classifier_batches import (
    Labelled,
    Latents,
    Training,
    arm_sources,
    concatenated,
    permute_labels,
    repeated,
    sample_from,
    source_of,
)
from cohortsmith.models.classifier_decoding import BLOCK

CLASSIC = ClassicAugmentationConfig()


def labelled(values: list[float], labels: list[int]) -> Labelled:
    """Constant images: the value says which one was drawn."""
    images = np.broadcast_to(np.array(values, dtype=np.float32)[:, None, None], (len(values), 5, 4))
    return Labelled(images, np.array(labels))


REAL = labelled([0.1, 0.2, 0.3, 0.4, 0.5], [0, 0, 0, 0, 1])
SYNTHETIC = labelled([0.91, 0.92], [0, 1])


PRIOR = labelled([0.81, 0.82], [0, 1])
ARMS = get_args(Arm)


def draw(arm: str, size: int = 40, synthetic: Labelled | None = SYNTHETIC, seed: int = 0):
    sources = arm_sources(arm, Training(REAL, synthetic, PRIOR), CLASSIC, seed)
    images, labels = sample_from(sources, size)(torch.Generator().manual_seed(3))
    return images, labels, images[:, 0, 0, 0].numpy().round(2)


@pytest.mark.parametrize("arm", ARMS)
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


@pytest.mark.parametrize(("arm", "others"), [("real+synthetic", 0.9), ("real+vae-prior", 0.8)])
def test_half_of_every_mixed_batch_is_real_within_each_class(arm, others) -> None:
    _, labels, values = draw(arm)
    assert [(values[labels == label] < others).sum() for label in (0, 1)] == [10, 10]
    assert [set(values[(labels == label).numpy() & (values > 0.5)]) for label in (0, 1)] == [
        {np.float32(others + 0.01)},
        {np.float32(others + 0.02)},
    ]


def test_the_oversampling_arm_holds_copies_of_real_images_under_their_own_label() -> None:
    _, labels, values = draw("real+oversampling", size=200)
    assert np.unique(values[labels == 0]) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert np.unique(values[labels == 1]) == pytest.approx([0.5])


def test_there_are_as_many_copies_as_synthetic_images_and_every_image_is_repeated_equally_often() -> None:
    copies = repeated(source_of(REAL), (10, 3), seed=1)
    values = copies.images(np.arange(13), torch.Generator())[:, 0, 0, 0].numpy().round(2)
    counts = np.unique(values[:10], return_counts=True)[1]
    assert copies.labels.tolist() == [0] * 10 + [1] * 3
    assert sorted(counts) == [2, 2, 3, 3]
    own, copied = arm_sources("real+oversampling", Training(REAL, SYNTHETIC), CLASSIC, 0)
    assert (len(own.labels), len(copied.labels)) == (5, 2)


def test_which_images_are_copied_once_more_follows_from_the_seed() -> None:
    def taken(seed: int) -> list[float]:
        copies = repeated(source_of(REAL), (2, 1), seed)
        return copies.images(np.arange(3), torch.Generator())[:, 0, 0, 0].tolist()

    assert taken(1) == taken(1)
    assert len({tuple(taken(seed)) for seed in range(8)}) > 1


def test_half_of_every_classic_batch_is_of_the_originals_and_half_of_altered_copies_within_each_class() -> None:
    certain = CLASSIC.model_copy(update={"probability": 1.0})
    sources = arm_sources("real+classic", Training(REAL), certain, 0)
    images, labels = sample_from(sources, 40)(torch.Generator().manual_seed(3))
    unchanged = images.std((1, 2, 3)) < 1e-6
    assert [unchanged[labels == label].sum() for label in (0, 1)] == [10, 10]
    assert set(images[unchanged & (labels == 1)].flatten().tolist()) == {0.5}


def test_a_copy_has_the_label_of_its_original_and_every_original_has_one() -> None:
    nothing = CLASSIC.model_copy(update={"probability": 0.0})
    own, copies = arm_sources("real+classic", Training(REAL), nothing, 0)
    tenths = copies.images(np.arange(5), torch.Generator())[:, 0, 0, 0].mul(10).round().int().tolist()
    assert len(own.labels) == 5
    assert sorted(zip(tenths, copies.labels.tolist(), strict=True)) == [(1, 0), (2, 0), (3, 0), (4, 0), (5, 1)]


def test_there_are_as_many_altered_copies_as_synthetic_images_where_there_are_some() -> None:
    dose = labelled([0.9] * 19, [0] * 12 + [1] * 7)
    _, copies = arm_sources("real+classic", Training(REAL, dose), CLASSIC, 0)
    assert copies.labels.tolist() == [0] * 12 + [1] * 7
    assert copies.images(np.arange(19), torch.Generator()).shape == (19, 1, 5, 4)


@pytest.mark.parametrize("size", [4, 8, 12, 16])
@pytest.mark.parametrize("arm", ["synthetic", "real+synthetic"])
def test_every_batch_in_a_row_is_balanced_and_has_new_images_under_their_own_label(arm, size) -> None:
    many = labelled([k / 1000 for k in range(1000)], [k % 2 for k in range(1000)])
    sample = sample_from(arm_sources(arm, Training(many, many), CLASSIC, 0), size)
    generator, seen = torch.Generator().manual_seed(0), []
    for _ in range(5):
        images, labels = sample(generator)
        numbers = images[:, 0, 0, 0].mul(1000).round().int()
        assert images.shape == (size, 1, 5, 4)
        assert labels.sum() == size // 2
        assert torch.equal(numbers % 2, labels.int())
        seen += numbers.tolist()
    assert len(set(seen)) > 4 * size  # drawn with replacement, from a thousand


@pytest.mark.parametrize(("size", "images_per_batch"), [(4, 2), (8, 4), (16, 8)])
def test_only_images_of_some_batch_are_decoded_and_no_block_is_filled_up(size, images_per_batch) -> None:
    decoded = []

    def decoder(points: torch.Tensor) -> torch.Tensor:
        decoded.append(len(points))
        return points[:, :1, None].expand(-1, 5, 4)

    made = Latents(torch.full((50, 2), 0.9), np.arange(50) % 2, (decoder, decoder))
    sample = sample_from(arm_sources("real+synthetic", Training(REAL, made), CLASSIC, 0), size)
    n_batches = 2 * BLOCK // images_per_batch
    batches = [sample(torch.Generator().manual_seed(k))[0] for k in range(n_batches)]
    assert all((images == 0.9).all(dim=(1, 2, 3)).sum() == images_per_batch for images in batches)
    assert decoded == [BLOCK, BLOCK]


def test_batches_of_real_images_are_drawn_one_by_one() -> None:
    read = []
    source = source_of(REAL)
    watched = source._replace(images=lambda rows, generator: read.append(len(rows)) or source.images(rows, generator))
    sample_from((watched,), 4)(torch.Generator())
    assert read == [4]

    made = Latents(torch.zeros(50, 2), np.arange(50) % 2, (lambda points: torch.zeros(len(points), 5, 4),) * 2)
    sample_from((watched, source_of(made)), 8)(torch.Generator())
    assert read == [4, 4]


def test_sources_put_together_give_each_row_its_own_image_and_label_in_any_order() -> None:
    both = concatenated((source_of(REAL), source_of(SYNTHETIC)))
    rows = np.array([6, 0, 4, 5, 0, 3])

    values = both.images(rows, torch.Generator())[:, 0, 0, 0].numpy().round(2)
    assert values.tolist() == pytest.approx([0.92, 0.1, 0.5, 0.91, 0.1, 0.4])
    assert both.labels.tolist() == [0, 0, 0, 0, 1, 0, 1]
    assert both.images(np.array([2]), torch.Generator())[0, 0, 0, 0] == pytest.approx(0.3)


@pytest.mark.statistical
def test_put_together_real_images_have_the_share_of_their_number() -> None:
    many = labelled([0.9] * 12 + [0.95] * 9, [0] * 12 + [1] * 9)
    both = concatenated(arm_sources("real+synthetic", Training(REAL, many), CLASSIC, 0))
    images, labels = sample_from((both,), 4000)(torch.Generator().manual_seed(1))
    is_real = images[:, 0, 0, 0].numpy() < 0.6

    # 4 of 16 controls and 1 of 10 patients are real; three standard errors of 2 000 draws
    assert is_real[labels == 0].mean() == pytest.approx(0.25, abs=0.03)
    assert is_real[labels == 1].mean() == pytest.approx(0.1, abs=0.02)
    assert labels.sum() == 2000


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


@pytest.mark.parametrize("arm", ["synthetic", "real+synthetic", "real+vae-prior"])
def test_an_arm_without_its_synthetic_images_is_refused(arm: str) -> None:
    with pytest.raises(StudyError, match="needs synthetic images"):
        arm_sources(arm, Training(REAL), CLASSIC, 0)


def test_a_class_without_images_is_refused() -> None:
    with pytest.raises(StudyError, match="no image to train on"):
        sample_from((source_of(labelled([0.1], [0])),), 4)(torch.Generator())


def test_rows_choose_images_of_a_file_read_by_memory_map(tmp_path) -> None:
    np.save(tmp_path / "images.npy", REAL.images)
    source = source_of(Labelled(tmp_path / "images.npy", np.array([1, 0]), np.array([3, 2])))
    images, labels = sample_from((source,), 4)(torch.Generator().manual_seed(0))
    assert images[:, 0, 0, 0].numpy() == pytest.approx([0.3, 0.3, 0.4, 0.4])
    assert labels.tolist() == [0, 0, 1, 1]


def test_copies_of_decoded_images_are_still_decoded_by_blocks() -> None:
    made = Latents(torch.zeros(8, 2), np.arange(8) % 2, (lambda points: torch.zeros(len(points), 5, 4),) * 2)
    assert repeated(source_of(made), (6, 6), 0).together == BLOCK
