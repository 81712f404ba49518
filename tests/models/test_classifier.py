"""The networks are the published ones: their parameters are counted, their outputs are those of plain layers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_classifier import copy_weights, plain_classifier, randomise
from torch.nn import functional

from cohortsmith.config.classifier import (
    ClassifierConfig,
    CNN2DConfig,
    Conv5FC3Config,
    Conv5FC3DownConfig,
    CustomConfig,
    DenseNetConfig,
    MLPConfig,
    OptimizedConfig,
    RandomForestConfig,
)
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.classifier import build_classifier, count_features, lay_out
from cohortsmith.models.classifier_architectures import architecture_of

SMALL = CustomConfig(channels=(2, 3), strides=(1, 2), dense=(4,), dropout=0.5)
LEAKY = {"activation": "leaky_relu", "dense_activation": "leaky_relu"}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def count_parameters(config: ClassifierConfig, shape: tuple[int, ...]) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in lay_out(config, shape).parameters())


@pytest.mark.parametrize(
    ("config", "shape", "features", "parameters"),
    [
        (Conv5FC3Config(), (169, 208, 179), 32_256, 42_293_972),
        (Conv5FC3DownConfig(), (84, 104, 89), 4_608, 1_916_697),
        (OptimizedConfig(), (84, 104, 89), 1_280, 469_452),
        (OptimizedConfig(third_block=10), (84, 104, 89), 1_280, 455_922),
        # convolutions 9 * (1*8 + 8*16 + 16*32 + 32*64) + 120; norms 2 * 120; dense 256*100 + 100 + 100*2 + 2
        (CNN2DConfig(), (208, 176), 256, 24_264 + 120 + 240 + 25_902),
        (MLPConfig(), (104, 88), None, 104 * 88 * 400 + 400 + 400 * 2 + 2),
    ],
)
def test_a_published_network_has_its_published_number_of_features_and_parameters(
    config, shape, features, parameters
) -> None:
    assert count_parameters(config, shape) == parameters
    assert features is None or count_features(config, shape) == features


@pytest.mark.parametrize(
    ("shape", "padding", "padded_pooling", "features"),
    [
        ((208, 176), 0, False, 256),  # the number printed in table 2.6
        ((208, 176), 1, False, 576),
        ((208, 176), 1, True, 768),
        ((104, 88), 1, True, 256),
    ],
)
def test_only_unpadded_convolutions_give_the_features_printed_for_full_slices(
    shape, padding, padded_pooling, features
) -> None:
    config = CNN2DConfig(convolution_padding=padding, padded_pooling=padded_pooling)
    assert count_features(config, shape) == features


def test_the_published_networks_have_their_published_dropout_and_activations() -> None:
    published = [architecture_of(kind()) for kind in (Conv5FC3Config, Conv5FC3DownConfig, OptimizedConfig, CNN2DConfig)]
    assert [one.dropout for one in published] == [0.5, 0.5, 0.001, 0.0]
    assert [one.activation for one in published] == ["relu", "relu", "leaky_relu", "leaky_relu"]
    assert [one.dense for one in published] == [(1300, 50), (350, 25), (), (100,)]


CONFIGURATIONS = [
    (Conv5FC3DownConfig(), (25, 26, 27)),
    (Conv5FC3DownConfig(activation="leaky_relu"), (25, 26, 27)),
    (OptimizedConfig(), (35, 40, 37)),
    (CNN2DConfig(), (104, 93)),
    (CNN2DConfig(convolution_padding=1, padded_pooling=True), (53, 44)),
    (CustomConfig(channels=(3, 4), strides=(2, 1), **LEAKY), (13, 14, 15)),
    (CustomConfig(channels=(3, 4), strides=(1, 2), convolutions=(2, 3), **LEAKY), (13, 14, 15)),
    (CustomConfig(channels=(3, 4), strides=(1, 2), padded_pooling=False), (17, 18, 19)),
]


def twins(config: ClassifierConfig, shape: tuple[int, ...], dtype: torch.dtype):
    """Our network and the plain one, with the same weights, in training mode."""
    ours = randomise(build_classifier(config, shape, seeded()), seeded(1)).to(dtype).train()
    plain = plain_classifier(architecture_of(config), len(shape), count_features(config, shape)).to(dtype).train()
    copy_weights(ours, plain)
    return ours, plain


@pytest.mark.parametrize(("config", "shape"), CONFIGURATIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_outputs_are_those_of_plain_layers_in_training_and_in_evaluation(config, shape, dtype, tolerance) -> None:
    ours, plain = twins(config, shape, dtype)
    images = torch.rand(6, 1, *shape, generator=seeded(2), dtype=dtype)
    torch.testing.assert_close(ours(images), plain(images), atol=tolerance, rtol=tolerance)
    for mine, theirs in zip(ours.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=tolerance, rtol=tolerance)
    ours.eval(), plain.eval()
    torch.testing.assert_close(ours(images), plain(images), atol=tolerance, rtol=tolerance)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), plain(images), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("config", "shape"), CONFIGURATIONS)
def test_gradients_are_those_of_plain_layers(config, shape) -> None:
    # In float32 two members of a pooling window may change places by rounding alone, in the plain layers as well
    networks = twins(config, shape, torch.float64)
    images = torch.rand(6, 1, *shape, generator=seeded(2), dtype=torch.float64)
    for network in networks:
        functional.cross_entropy(network(images), torch.arange(6) % 2).backward()
    for ours, plain in zip(*(network.parameters() for network in networks), strict=True):
        found = torch.zeros_like(plain) if ours.grad is None else ours.grad  # a bias before a norm has none
        torch.testing.assert_close(found, plain.grad, atol=1e-10, rtol=1e-8)


@settings(max_examples=20, deadline=None)
@given(
    shape=st.lists(st.integers(8, 13), min_size=2, max_size=3).map(tuple),
    padded=st.booleans(),
    convolutions=st.sampled_from([(), (2, 1)]),
)
def test_the_counted_features_are_those_the_blocks_give(shape, padded, convolutions) -> None:
    config = CustomConfig(channels=(2, 3), strides=(), convolutions=convolutions, padded_pooling=padded)
    network = build_classifier(config, shape, seeded()).eval()
    assert network.features(torch.rand(2, 1, *shape)).shape == (2, count_features(config, shape))
    assert network(torch.rand(2, 1, *shape)).shape == (2, 2)


@pytest.mark.slow
def test_the_densenet_scores_slices_and_its_weights_come_from_the_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, other = (build_classifier(DenseNetConfig(), (32, 36), seeded(5)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert one(torch.rand(4, 1, 32, 36)).shape == (4, 2)
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_weights_come_from_the_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, other = (build_classifier(SMALL, (8, 9), seeded(5)).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_weights_follow_pytorchs_own_law() -> None:
    config = CustomConfig(channels=(8, 16, 32, 64, 128), strides=(), dense=(350,))
    linear = build_classifier(config, (32, 32), seeded()).head[0]
    bound = 128**-0.5
    assert linear.weight.abs().max() <= bound
    # the s.d. of U(-b, b) is b / sqrt(3)
    assert linear.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.01)


def test_dropout_keeps_the_mean_and_is_silent_in_evaluation() -> None:
    config = SMALL.model_copy(update={"dense": (), "dropout": 0.5})
    network = build_classifier(config, (8, 8), seeded())
    images = torch.rand(1, 1, 8, 8).expand(20_000, 1, 8, 8)
    network.features.eval()
    drawn = network(images, seeded(1))
    expected = network.eval()(images[:1])
    assert drawn.std() > 0
    torch.testing.assert_close(drawn.mean(0), expected[0], atol=0.02, rtol=0)


def test_images_too_small_for_the_blocks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="does not fit"):
        build_classifier(CNN2DConfig(), (104, 88), torch.Generator())


def test_a_time_series_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="2-D or 3-D"):
        count_features(SMALL, (8, 8, 8, 8))


def test_a_forest_has_no_features_to_count() -> None:
    with pytest.raises(ConfigurationError, match="random_forest"):
        count_features(RandomForestConfig(), (8, 8))
