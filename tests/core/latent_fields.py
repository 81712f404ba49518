"""Metric fields and phase points for the laws of the geometry, in float64."""

import torch

from cohortsmith.core.metric import MetricField


def draw_field(n=6, d=3, seed=0, temperature=1.3, regularization=1e-2, spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    centroids = spread * torch.randn(n, d, generator=generator, dtype=torch.float64)
    below = torch.randn(n, d, d, generator=generator, dtype=torch.float64).tril(-1)
    diagonal = torch.randn(n, d, generator=generator, dtype=torch.float64).mul(0.3).exp()
    return MetricField(centroids, below + torch.diag_embed(diagonal), temperature, regularization)


def draw_points(n, d, seed=1, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, d, generator=generator, dtype=torch.float64)
