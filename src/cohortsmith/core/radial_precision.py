"""How sure a decoder is of its image: a radial basis network, sure where the data are and nowhere else."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.metric import squared_distances


class RadialPrecision(NamedTuple):
    """1 / sigma^2(z) = v(z) W + zeta, v_k = exp(-gamma_k |z - c_k|^2) (Brownian prior 2020, section 4).

    centres: (K, d). bandwidth: (K,) gamma_k > 0. weights: (K, D), or (K,) for one deviation of all D; positive.
    floor: zeta > 0, the precision far from every centre.
    """

    centres: Tensor
    bandwidth: Tensor
    weights: Tensor
    floor: float | Tensor


def radial_precision(network: RadialPrecision, z: Tensor) -> Tensor:
    """Give 1 / sigma^2(z): (B, d) -> (B, D), or (B, 1) where all outputs share one."""
    activations = torch.exp(-network.bandwidth * squared_distances(z, network.centres))
    return activations @ network.weights.reshape(len(network.centres), -1) + network.floor


def radial_deviation(network: RadialPrecision, z: Tensor) -> Tensor:
    """Give sigma(z): (B, d) -> (B, D), or (B, 1) where all outputs share one."""
    return radial_precision(network, z).rsqrt()
