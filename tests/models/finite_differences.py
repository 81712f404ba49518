"""Exact gradients against finite differences of the loss along random directions, in float64."""

import pytest
import torch


def slopes(loss, learned):
    """Give (name, exact, by finite differences) of the loss along one random direction per parameter."""
    gradients = torch.autograd.grad(loss(), list(learned.values()))
    generator, h = torch.Generator().manual_seed(2), 1e-6
    for (name, parameter), gradient in zip(learned.items(), gradients, strict=True):
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            parameter.add_(h * direction)
            above = loss()
            parameter.sub_(2 * h * direction)
            below = loss()
            parameter.add_(h * direction)
        yield name, gradient, (gradient * direction).sum().item(), ((above - below) / (2 * h)).item()


def assert_exact(loss, learned, relative=1e-5, absolute=1e-6):
    """Every parameter has a gradient, and it is that of finite differences."""
    for name, gradient, exact, expected in slopes(loss, learned):
        assert exact == pytest.approx(expected, rel=relative, abs=absolute), name
        assert gradient.abs().sum() > 0, name
