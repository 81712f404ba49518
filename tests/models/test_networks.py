import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cohortsmith.models.networks import Decoder, Encoder, MetricNetwork, Standardise, initialise
from cohortsmith.models.shared_weight import apply_shared, share


def started(network, seed=0):
    initialise(network, torch.Generator().manual_seed(seed))
    return network


@settings(deadline=None, max_examples=20)
@given(d=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_metric_factors_are_lower_triangular_with_positive_diagonal(d, seed):
    images = torch.rand(5, 12, generator=torch.Generator().manual_seed(seed))
    factors = started(MetricNetwork(12, (7,), d), seed)(images)
    assert factors.shape == (5, d, d)
    assert torch.equal(factors, factors.tril())
    assert (factors.diagonal(dim1=1, dim2=2) > 0).all()


def test_entries_below_the_diagonal_are_in_the_order_of_tril_indices():
    network = started(MetricNetwork(4, (), 3))
    images = torch.rand(2, 4, generator=torch.Generator().manual_seed(0))
    lower, factors = network.strictly_lower(images), network(images)
    assert torch.equal(factors[:, 1, 0], lower[:, 0])
    assert torch.equal(factors[:, 2, 0], lower[:, 1])
    assert torch.equal(factors[:, 2, 1], lower[:, 2])
    torch.testing.assert_close(factors.diagonal(dim1=1, dim2=2), network.log_diagonal(images).exp())


@pytest.mark.parametrize("hidden", [(), (7,), (9, 7, 5)])
def test_encoder_and_decoder_mirror_each_other(hidden):
    encoder, decoder = Encoder(12, hidden, 3), Decoder(3, hidden, 12)
    widths = [layer.in_features for layer in encoder.trunk if isinstance(layer, nn.Linear)]
    mirrored = [layer.out_features for layer in decoder.trunk if isinstance(layer, nn.Linear)]
    assert [*widths, encoder.mean.in_features] == [12, *hidden]
    assert mirrored == list(reversed(hidden))
    mean, log_variance = started(encoder)(torch.zeros(2, 12))
    assert mean.shape == log_variance.shape == (2, 3)
    assert started(decoder)(mean).shape == (2, 12)


@pytest.mark.parametrize("n_voxels", [50, 784, 20_000])
def test_standardised_images_have_the_same_norm_whatever_their_size(n_voxels):
    standardise = Standardise(n_voxels)
    images = 0.4 + 0.1 * torch.randn(300, n_voxels, generator=torch.Generator().manual_seed(0))
    standardise.centre.fill_(0.4)
    standardise.contrast.fill_(0.1)
    assert standardise(images).square().sum(1).mean().item() == pytest.approx(784, rel=0.05)


def test_weights_come_from_the_generator_alone():
    torch.manual_seed(1)
    first = started(Encoder(6, (5,), 2)).mean.weight.clone()
    torch.manual_seed(2)
    again, other = started(Encoder(6, (5,), 2)).mean.weight, started(Encoder(6, (5,), 2), seed=1).mean.weight
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.abs().max() <= 5**-0.5


def test_a_shared_weight_has_the_gradients_of_an_ordinary_one_also_through_a_score():
    generator = torch.Generator().manual_seed(0)
    weight, first, second = (
        torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in ((5, 3), (4, 3), (4, 3))
    )

    def objective(multiply):
        total = 0.0
        for point in (first, second):
            value = multiply(point).sin().sum()
            (score,) = torch.autograd.grad(value, point, create_graph=True)
            total = total + value + score.square().sum() + multiply(point + 0.1 * score).cos().sum()
        return torch.autograd.grad(total, (weight, first, second))

    shared = share(weight)
    torch.testing.assert_close(
        objective(lambda x: apply_shared(shared, x)), objective(lambda x: x @ weight.T), rtol=1e-12, atol=1e-12
    )


def test_a_shared_weight_sums_in_one_buffer_and_forgets_it():
    weight = torch.ones(2, 3, requires_grad=True)
    shared = share(weight)
    (apply_shared(shared, torch.ones(1, 3)) + apply_shared(shared, torch.ones(1, 3))).sum().backward()
    assert weight.grad.tolist() == [[2.0] * 3] * 2
    assert shared.gradient.collect() is None
