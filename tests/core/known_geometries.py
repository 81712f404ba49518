"""Geometries whose geodesics are known, and that of a metric field, for the laws of curves and distances."""

import torch
from latent_fields import draw_field

from cohortsmith.core.geometry import Geometry
from cohortsmith.core.metric import MetricField, learned_geometry


def constant_geometry(matrix):
    """Give the metric that is the same everywhere: geodesics are straight, |b - a| measured by the matrix."""
    matrix = torch.as_tensor(matrix, dtype=torch.float64)
    d, volume = len(matrix), 0.5 * torch.logdet(matrix)
    return Geometry(
        d,
        metric=lambda z: matrix.to(z.dtype).expand(len(z), d, d),
        inverse=lambda z: torch.linalg.inv(matrix).to(z.dtype).expand(len(z), d, d),
        log_volume=lambda z: volume.to(z.dtype).expand(len(z)),
        log_volume_and_gradient=lambda z: (volume.to(z.dtype).expand(len(z)), torch.zeros_like(z)),
        kinetic_gradient=lambda z, q: torch.zeros_like(z),
    )


def half_plane():
    """Give I / y^2 on y > 0, the hyperbolic plane: geodesics are half circles with their centre on y = 0."""

    def up(values):
        return torch.stack([torch.zeros_like(values), values], dim=1)

    def scaled(values):
        return values[:, None, None] * torch.eye(2, dtype=values.dtype)

    return Geometry(
        2,
        metric=lambda z: scaled(z[:, 1] ** -2),
        inverse=lambda z: scaled(z[:, 1] ** 2),
        log_volume=lambda z: -2 * z[:, 1].log(),
        log_volume_and_gradient=lambda z: (-2 * z[:, 1].log(), up(-2 / z[:, 1])),
        kinetic_gradient=lambda z, q: up(z[:, 1] * q.square().sum(1)),
    )


def half_plane_distance(first, second):
    """Give arccosh(1 + |b - a|^2 / (2 y_a y_b)) of points (P, 2)."""
    return torch.acosh(1 + (second - first).square().sum(-1) / (2 * first[..., 1] * second[..., 1]))


def drawn_geometry(d=3, seed=0):
    return learned_geometry(draw_field(n=6, d=d, seed=seed))


def bridged_clusters(d=2):
    """Give a field with two clusters of centroids, left and right, joined by a half circle of them above the void.

    The centroids are on a circle of radius 2; the straight line from one cluster to the other crosses its empty centre.
    """
    angles = torch.linspace(0, torch.pi, 25, dtype=torch.float64)
    arc = 2 * torch.stack([-angles.cos(), angles.sin()], dim=1)
    offsets = 0.15 * torch.randn(20, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    centroids = torch.cat([arc, arc[:1] + offsets[:10], arc[-1:] + offsets[10:]])
    centroids = torch.nn.functional.pad(centroids, (0, d - 2))
    factors = torch.eye(d, dtype=torch.float64).expand(len(centroids), d, d)
    return MetricField(centroids, factors, temperature=0.5, regularization=1e-2)


def spiral():
    """A curved road through a void so costly that the straight line gives no hint of it."""
    angle = torch.linspace(1.5, 10, 60, dtype=torch.float64)
    centroids = 0.25 * torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1)
    factors = torch.eye(2, dtype=torch.float64).expand(60, 2, 2)
    return MetricField(centroids, factors, temperature=0.2, regularization=1e-4)
