"""The compact set to which the sampling density is restricted, without which it is improper (lambda > 0)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Support(NamedTuple):
    """S = {|z| <= radius} (thesis 1.8), optionally also within `reach` of a centroid.

    radius, reach: latent units. centroids: (N, d).
    """

    radius: float
    centroids: Tensor
    reach: float = math.inf


def ball_around(centroids: Tensor, multiple: float) -> Support:
    """Give S = {|z| <= multiple * max_i |c_i|} for centroids (N, d)."""
    return Support(multiple * centroids.norm(dim=1).max().item(), centroids)


def contains(support: Support, z: Tensor) -> Tensor:
    """Say which points lie in S: (B, d) -> (B,) bool; a point that is not a number does not."""
    inside: Tensor = z.norm(dim=-1) <= support.radius
    if math.isinf(support.reach):
        return inside
    return inside & (nearest_distance(z, support.centroids) <= support.reach)


def nearest_distance(z: Tensor, centroids: Tensor) -> Tensor:
    """Give the distance to the nearest centroid: (B, d), (N, d) -> (B,)."""
    return torch.cdist(z, centroids).amin(dim=1)


def largest_gap(centroids: Tensor) -> float:
    """Give max_i min_{j != i} |c_i - c_j| of centroids (N, d), N >= 2: how far apart neighbours can be."""
    distances = torch.cdist(centroids, centroids).fill_diagonal_(math.inf)
    return distances.amin(dim=1).max().item()


def neighbourhood(centroids: Tensor, temperature: float | Tensor) -> float:
    """Give the distance at which a centroid of the metric still speaks: its kernel's width T or the largest gap."""
    return max(float(temperature), largest_gap(centroids))
