"""Images decoded batch by batch are those decoded beforehand, bit for bit, and never all in memory."""

import json
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from cohortsmith.config.classifier import CustomConfig
from cohortsmith.config.generator import NetworkConfig, TrainingConfig, VAEConfig
from cohortsmith.errors import CohortsmithError
from cohortsmith.models.checkpoint import to_checkpoint
from cohortsmith.models.classifier_batches import BatchSource, Labelled, Latents, sample_from, source_of
from cohortsmith.models.classifier_decoding import BLOCK, decode_in_blocks, decoder_of, decoder_of_file
from cohortsmith.models.classifier_training import train_classifier
from cohortsmith.models.fitted import FittedVAE, restore
from cohortsmith.models.networks import Decoder, initialise
from cohortsmith.models.training import fit_vae
from cohortsmith.models.vae import VAE, Posterior

SHAPE = (9, 11)
N = 61  # not a multiple of the block


@pytest.fixture(scope="module", params=["mlp", pytest.param("convolutional", marks=pytest.mark.slow)])
def fitted(request) -> FittedVAE:
    images = np.random.default_rng(0).random((12, *SHAPE), dtype=np.float32)
    network = NetworkConfig(kind=request.param, hidden=(300, 200), channels=(4, 6))
    training = TrainingConfig(epochs=2, warm_up_epochs=0, batch_size=6)
    return fit_vae(images, VAEConfig(latent_dim=3, network=network), training, seed=0)


@pytest.fixture(scope="module")
def latents(fitted) -> Latents:
    points = torch.randn(N, 3, generator=torch.Generator().manual_seed(1))
    other = decoder_of(fitted)
    return Latents(points, np.arange(N) % 2, (decoder_of(fitted), lambda points: 1 - other(points)))


@pytest.fixture(scope="module")
def decoded(latents: Latents) -> Labelled:
    """Everything decoded beforehand."""
    images = torch.stack(
        [decode_in_blocks(latents.decoders[label], latents.points)[k] for k, label in enumerate(latents.labels)]
    )
    return Labelled(images.numpy(), latents.labels)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.integers(0, N - 1), min_size=1, max_size=24))
def test_any_rows_are_the_images_decoded_beforehand_bit_for_bit(latents, decoded, rows) -> None:
    chosen = np.array(rows)
    found = source_of(latents).images(chosen, torch.Generator())
    assert torch.equal(found, source_of(decoded).images(chosen, torch.Generator()))


def drawn_alike(data: Latents | Labelled) -> BatchSource:
    return source_of(data)._replace(together=BLOCK)


def test_batches_and_trained_weights_are_the_same_bits(latents, decoded) -> None:
    config = CustomConfig(channels=(2,), strides=(1,), dense=(), batch_size=8, optimizer_steps=6, evaluations=2)
    one, other = (
        train_classifier(sample_from((drawn_alike(data),), 8), source_of(decoded), config, seed=3).state
        for data in (latents, decoded)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_point_is_decoded_alike_alone_and_among_others(fitted) -> None:
    points = torch.randn(3 * BLOCK + 1, 3, generator=torch.Generator().manual_seed(2))
    together = decode_in_blocks(decoder_of(fitted), points)
    alone = torch.cat([decode_in_blocks(decoder_of(fitted), point[None]) for point in points])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_scan_has_the_same_bits_on_any_number_of_threads(n_threads) -> None:
    shape = (86, 477)  # of each half, 31 voxels are left over by vectors of 32
    config = VAEConfig(latent_dim=3, network=NetworkConfig(hidden=(30, 20)))
    model = VAE(config, shape)
    initialise(model, torch.Generator().manual_seed(0))
    codes = Posterior(torch.zeros(0, 3), torch.zeros(0, 3))
    fitted = FittedVAE(config, shape, {name: 8 * value for name, value in model.state_dict().items()}, codes, None, ())
    points = torch.randn(BLOCK, 3, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        images = decoder_of(fitted)(points)
    finally:
        torch.set_num_threads(before)
    logits = restore(fitted).decoder.decode(points).reshape(images.shape)
    one_by_one = torch.stack([torch.cat([part.sigmoid() for part in one.flatten().split(64)]) for one in logits])
    assert torch.equal(images.flatten(1), one_by_one)


def test_a_stored_generator_decodes_as_the_one_in_memory_after_a_journey_to_a_worker(fitted, tmp_path) -> None:
    tensors, plain = to_checkpoint(fitted)
    save_file(tensors, tmp_path / "generator.safetensors")
    (tmp_path / "generator.json").write_text(json.dumps({"model": plain, "provenance": {"fingerprint": "mark"}}))
    decoder = decoder_of_file(tmp_path / "generator.safetensors", "mark")
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(4))
    arrived = pickle.loads(pickle.dumps(decoder))
    assert torch.equal(decode_in_blocks(arrived, points), decode_in_blocks(decoder_of(fitted), points))
    assert len(pickle.dumps(decoder)) < 1000


def test_what_was_first_decoded_while_testing_decodes_alike_while_training(fitted, tmp_path) -> None:
    tensors, plain = to_checkpoint(fitted)
    save_file(tensors, tmp_path / "tested.safetensors")
    (tmp_path / "tested.json").write_text(json.dumps({"model": plain, "provenance": {"fingerprint": "mark"}}))
    decode, points = decoder_of_file(tmp_path / "tested.safetensors", "mark"), torch.zeros(BLOCK, 3)
    with torch.inference_mode():
        first = decode(points)

    assert torch.equal(decode(points), first)


def test_a_worker_that_lives_on_never_decodes_by_an_earlier_generator_of_the_same_place(fitted, tmp_path) -> None:
    path = tmp_path / "generator.safetensors"
    tensors, plain = to_checkpoint(fitted)
    changed = {name: tensor + 0.1 for name, tensor in tensors.items()}
    images = []
    for mark, weights in (("first", tensors), ("second", changed)):
        save_file(weights, path)
        path.with_suffix(".json").write_text(json.dumps({"model": plain, "provenance": {"fingerprint": mark}}))
        images.append(decoder_of_file(path, mark)(torch.zeros(BLOCK, 3)))

    assert not torch.equal(*images)
    with pytest.raises(CohortsmithError, match="another generator"):
        decoder_of_file(path, "third")(torch.zeros(BLOCK, 3))


def test_of_ten_thousand_images_only_a_block_of_either_class_is_decoded() -> None:
    held = []

    def decoder(points: torch.Tensor) -> torch.Tensor:
        held.append(len(points))
        return torch.zeros(len(points), 20, 20, 20)

    data = Latents(torch.zeros(10_000, 2), np.arange(10_000) % 2, (decoder, decoder))
    images, _ = sample_from((source_of(data),), 16)(torch.Generator())
    assert images.shape == (16, 1, 20, 20, 20)
    assert held == [BLOCK, BLOCK]


@settings(max_examples=10, deadline=None)
@given(place=st.integers(0, BLOCK - 1), seed=st.integers(0, 99))
def test_an_image_as_wide_as_a_scan_has_the_same_bits_at_any_place_of_a_block(place, seed) -> None:
    random = torch.Generator().manual_seed(seed)
    decoder = Decoder(3, (300, 200), 40_009).requires_grad_(False)
    initialise(decoder, random)
    points = torch.randn(BLOCK, 3, generator=random)
    alone = torch.zeros(BLOCK, 3)
    alone[0] = points[place]
    assert torch.equal(decoder.decode(points)[place], decoder.decode(alone)[0])
    torch.testing.assert_close(decoder.decode(points), decoder(points), atol=1e-5, rtol=1e-5)
