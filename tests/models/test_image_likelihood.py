import math

import pytest
import torch
from torch.nn import functional

from cohortsmith.models import matrix_product
from cohortsmith.models.image_likelihood import bernoulli_terms, gaussian_terms, log_likelihood
from cohortsmith.models.shared_weight import share

KINDS = ["gaussian", "bernoulli"]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, the last one shorter."""
    monkeypatch.setattr(matrix_product, "_MULTIPLY_ADDS", 9)


def draw(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


def images():
    return torch.rand(4, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def plainly(features, weight, bias, log_variance, kind):
    logits = features @ weight.T + bias
    if kind == "bernoulli":
        return -functional.binary_cross_entropy_with_logits(logits, images(), reduction="none").sum(1)
    normal = torch.distributions.Normal(logits.sigmoid(), torch.exp(0.5 * log_variance))
    return normal.log_prob(images()).sum(1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_value_is_that_of_the_distribution(kind):
    features, weight, bias, log_variance = draw((4, 3), (7, 3), (7,), ())
    found = log_likelihood(features, share(weight), bias, images(), log_variance, kind)
    torch.testing.assert_close(found, plainly(features, weight, bias, log_variance, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_gradient_of_a_flow_through_score_and_value_is_that_of_autograd(kind):
    inputs = draw((4, 3), (7, 3), (7,), ())

    def gradients(likelihood):
        position, value = inputs[0], 0.0
        for _ in range(3):
            value = likelihood(position)
            (score,) = torch.autograd.grad(value.sum(), position, create_graph=True)
            position = position + 0.1 * score.sin()
        return torch.autograd.grad((value.cos() + position.square().sum(1)).sum(), inputs, allow_unused=True)

    _, weight, bias, log_variance = inputs
    shared = share(weight)
    found = gradients(lambda z: log_likelihood(z, shared, bias, images(), log_variance, kind))
    expected = gradients(lambda z: plainly(z, weight, bias, log_variance, kind))
    torch.testing.assert_close(found[:3], expected[:3], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found[3:], expected[3:], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_value_alone_has_the_gradient_of_autograd(kind):
    inputs = draw((4, 3), (7, 3), (7,), ())
    features, weight, bias, log_variance = inputs
    value = log_likelihood(features, share(weight), bias, images(), log_variance, kind)
    weights = torch.arange(1.0, 5.0, dtype=torch.float64)
    found = torch.autograd.grad(value @ weights, inputs[:3])
    expected = torch.autograd.grad(plainly(*inputs, kind) @ weights, inputs[:3])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("terms", [gaussian_terms, bernoulli_terms])
def test_slope_and_curvature_are_derivatives_by_the_logits(terms):
    (logits,) = draw((4, 7))
    h, at = 1e-5, logits.detach()
    above, below, here = (terms(at + shift, images()) for shift in (h, -h, 0.0))
    torch.testing.assert_close((above.slope - below.slope) / (2 * h), here.curvature, rtol=1e-7, atol=1e-8)
    rises = (above.value - below.value) / (2 * h)  # all logits moved together
    torch.testing.assert_close(rises, here.slope.sum(1), rtol=1e-7, atol=1e-8)


def test_without_grad_mode_the_score_is_the_same_and_no_weight_gradient_is_gathered():
    features, weight, bias, log_variance = draw((4, 3), (7, 3), (7,), ())
    with torch.no_grad():
        shared = share(weight)
        with torch.enable_grad():
            value = log_likelihood(features, shared, bias, images(), log_variance, "gaussian")
            (score,) = torch.autograd.grad(value.sum(), features)
    (expected,) = torch.autograd.grad(plainly(features, weight, bias, log_variance, "gaussian").sum(), features)
    torch.testing.assert_close(score, expected)
    assert shared.gradient.terms == []


def test_a_perfect_image_of_variance_one_costs_half_log_two_pi_per_voxel():
    weight, bias = torch.zeros(7, 3), torch.zeros(7)
    value = log_likelihood(torch.zeros(2, 3), share(weight), bias, torch.full((2, 7), 0.5), torch.zeros(()), "gaussian")
    assert value.tolist() == pytest.approx([-3.5 * math.log(2 * math.pi)] * 2)
