"""The network is the published one: its parameters are counted, its shapes worked out by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortsmith.config.judge import ClassifierConfig
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.classifier import Classifier, Halve, build_classifier, count_features

TABLE_2_6 = ClassifierConfig(
    channels=(8, 16, 32, 64), strides=(1, 1, 2, 2), dense=(100,), activation="leaky_relu", dropout=0.0
)
SMALL = ClassifierConfig(channels=(2, 3), strides=(1, 2), dense=(4,), dropout=0.5)


def count_parameters(config: ClassifierConfig, shape: tuple[int, ...]) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Classifier(config, shape).parameters())


@pytest.mark.parametrize(
    ("shape", "dense", "features", "parameters"),
    [((169, 208, 179), (1300, 50), 32_256, 42_293_972), ((84, 104, 89), (350, 25), 4_608, 1_916_697)],
)
def test_the_baseline_networks_have_the_published_number_of_parameters(shape, dense, features, parameters) -> None:
    config = ClassifierConfig(dense=dense)
    assert count_features(config, shape) == features
    assert count_parameters(config, shape) == parameters


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
    config = TABLE_2_6.model_copy(update={"convolution_padding": padding, "padded_pooling": padded_pooling})
    assert count_features(config, shape) == features


def test_the_slice_network_has_the_parameters_counted_by_hand() -> None:
    # convolutions 9 * (1*8 + 8*16 + 16*32 + 32*64) + 120; norms 2 * 120; dense 256*100 + 100 + 100*2 + 2
    config = TABLE_2_6.model_copy(update={"convolution_padding": 0, "padded_pooling": False})
    assert count_parameters(config, (208, 176)) == 24_264 + 120 + 240 + 25_902


@settings(max_examples=20, deadline=None)
@given(shape=st.lists(st.integers(5, 12), min_size=2, max_size=3).map(tuple), padded=st.booleans())
def test_the_counted_features_are_those_the_blocks_give(shape, padded) -> None:
    config = ClassifierConfig(channels=(2, 3), strides=(1, 1), padded_pooling=padded)
    network = build_classifier(config, shape, torch.Generator().manual_seed(0)).eval()
    assert network.features(torch.rand(2, 1, *shape)).shape == (2, count_features(config, shape))
    assert network(torch.rand(2, 1, *shape)).shape == (2, 2)


def test_padded_pooling_adds_its_zero_on_the_low_side() -> None:
    image = torch.tensor([[[-1.0, -2.0, -3.0]]]).unsqueeze(-1).expand(1, 1, 3, 2)
    torch.testing.assert_close(Halve(padded=True)(image)[0, 0, :, 0], torch.tensor([0.0, -2.0]))
    torch.testing.assert_close(Halve(padded=False)(image)[0, 0, :, 0], torch.tensor([-1.0]))


def test_padded_pooling_pads_the_odd_axis_and_no_other() -> None:
    assert Halve(padded=True)(torch.rand(1, 1, 5, 4, 7)).shape == (1, 1, 3, 2, 4)


def test_the_weights_come_from_the_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, other = (build_classifier(SMALL, (8, 9), torch.Generator().manual_seed(5)).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_weights_follow_pytorchs_own_law() -> None:
    linear = build_classifier(ClassifierConfig(dense=(350,)), (32, 32), torch.Generator().manual_seed(0)).head[0]
    bound = 128**-0.5
    assert linear.weight.abs().max() <= bound
    # the s.d. of U(-b, b) is b / sqrt(3)
    assert linear.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.01)


def test_dropout_keeps_the_mean_and_is_silent_in_evaluation() -> None:
    config = SMALL.model_copy(update={"dense": (), "dropout": 0.5})
    network = build_classifier(config, (8, 8), torch.Generator().manual_seed(0))
    images = torch.rand(1, 1, 8, 8).expand(20_000, 1, 8, 8)
    network.features.eval()
    drawn = network(images, torch.Generator().manual_seed(1))
    expected = network.eval()(images[:1])
    assert drawn.std() > 0
    torch.testing.assert_close(drawn.mean(0), expected[0], atol=0.02, rtol=0)


def test_images_too_small_for_the_blocks_are_refused() -> None:
    unpadded = TABLE_2_6.model_copy(update={"convolution_padding": 0, "padded_pooling": False})
    with pytest.raises(ConfigurationError, match="does not fit"):
        build_classifier(unpadded, (104, 88), torch.Generator())


def test_a_time_series_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="2-D or 3-D"):
        count_features(SMALL, (8, 8, 8, 8))


@pytest.mark.parametrize("wrong", [{"strides": (1,)}, {"batch_size": 6}, {"evaluations": 300}, {"channels": ()}])
def test_a_configuration_that_cannot_work_is_refused(wrong) -> None:
    with pytest.raises(ConfigurationError):
        ClassifierConfig.read(wrong, "parameters.classifier")
