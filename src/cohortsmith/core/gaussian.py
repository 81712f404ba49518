"""Closed forms of the normal distribution."""

import math

from torch import Tensor


def log_standard_normal(z: Tensor) -> Tensor:
    """Give log N(z; 0, I): (B, d) -> (B,)."""
    return -0.5 * z.square().sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi)


def divergence_from_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Give KL(N(mean, diag exp(log_variance)) | N(0, I)) of parameters (B, d): (B,)."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)
