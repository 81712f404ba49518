"""Draws from a density on a line or plane by quadrature, and how far chains are from it, for the laws of the samplers."""

import math

import torch

from cohortsmith.core.support import contains


def draws_on_a_grid(target, support, n, cells=400, seed=0):
    """Give n draws uniform within their cell, the cells' centres (cells^d, d) and their probabilities."""
    d = support.centroids.shape[1]
    generator = torch.Generator().manual_seed(seed)
    borders = torch.linspace(-support.radius, support.radius, cells + 1, dtype=torch.float64)
    middle = 0.5 * (borders[1:] + borders[:-1])
    grid = torch.cartesian_prod(*[middle] * d).reshape(-1, d)
    weights = target.log_density(grid)[0].exp() * contains(support, grid)
    chosen = torch.multinomial(weights, n, replacement=True, generator=generator)
    jitter = torch.rand(n, d, generator=generator, dtype=torch.float64) - 0.5
    draws = grid[chosen] + jitter * (borders[1] - borders[0])
    draws = torch.where(contains(support, draws).unsqueeze(1), draws, grid[chosen])
    return draws, grid, weights / weights.sum()


def moments(z):
    """Give z, the squares and product of its coordinates, and whether it is near the origin: (n, 2 d + 2)."""
    return torch.stack([*z.T, *z.square().T, z.prod(1), (z.norm(dim=1) < 1).double()], dim=1)


def worst_standard_error(draws, grid, weights):
    """Give the largest difference of a moment of independent draws from that on the grid, in standard errors."""
    found, expected = moments(draws), weights @ moments(grid)
    return ((found.mean(0) - expected).abs() / (found.std(0) / math.sqrt(len(draws)))).max()
