"""Metric fields and phase points for the laws of the geometry, in float64."""

import numpy as np
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


def published(shared):
    """The numbers of the authors' published model."""
    return np.load(shared / "oracles" / "rhvae_mnist_d2.npz")


def published_field(oracle):
    """Its metric, from the products that were stored in float32."""
    centroids, products = (torch.from_numpy(oracle[key]).double() for key in ("centroids", "M"))
    factors = torch.linalg.cholesky(products)
    return MetricField(centroids, factors, float(oracle["temperature"]), float(oracle["lbd"]))
