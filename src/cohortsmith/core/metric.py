"""The learned Riemannian metric of the latent space, always through its closed-form inverse."""

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry


class MetricField(NamedTuple):
    """G^-1(z) = sum_i L_i L_i^T exp(-|z - c_i|^2 / T^2) + lambda I (thesis eq. 1.7).

    centroids: (N, d) encoder means c_i of the N training images.
    factors: (N, d, d) lower-triangular L_i with positive diagonal.
    temperature, regularization: T > 0 and lambda > 0, in latent units; 0-d tensors where they are learned.
    """

    centroids: Tensor
    factors: Tensor
    temperature: float | Tensor
    regularization: float | Tensor


class MetricKernels(NamedTuple):
    """The same field with M_i = L_i L_i^T multiplied out, so that evaluating it is one matrix product.

    centroids: (N, d), squared_norms: (N,) theirs. products: (N, d * d), the rows of each M_i one after the other.
    floor: (d * d,) lambda I in the same order.
    """

    centroids: Tensor
    squared_norms: Tensor
    products: Tensor
    floor: Tensor
    temperature: float | Tensor


class LocalMetric(NamedTuple):
    """The metric at B points, each quantity computed once.

    position: (B, d). weights: (B, N) kernel values exp(-|z - c_i|^2 / T^2).
    inverse: (B, d, d) G^-1. cholesky: (B, d, d) lower factor C of G^-1 = C C^T. metric: (B, d, d) G.
    log_inverse_volume: (B,) log sqrt det G^-1.
    """

    position: Tensor
    weights: Tensor
    inverse: Tensor
    cholesky: Tensor
    metric: Tensor
    log_inverse_volume: Tensor


def thin(field: MetricField, rows: Tensor) -> MetricField:
    """Keep only the centroids numbered rows (k,) and their factors, say the medoids of a large set (thesis 3.4.2)."""
    return field._replace(centroids=field.centroids[rows], factors=field.factors[rows])


def learned_geometry(field: MetricField | MetricKernels) -> Geometry:
    """Present the field as the geometry that samplers, curves and distances ask for, all in closed form."""
    kernels = _expanded(field)
    return Geometry(
        dimension=kernels.centroids.shape[1],
        metric=lambda z: local_metric(kernels, z).metric,
        inverse=partial(inverse_metric, kernels),
        log_volume=lambda z: -log_inverse_volume(kernels, z),
        log_volume_and_gradient=partial(_log_volume_and_gradient, kernels),
        kinetic_gradient=partial(_kinetic_gradient, kernels),
        volume_gradient=partial(_volume_gradient, kernels),
    )


def expand(field: MetricField) -> MetricKernels:
    """Multiply the factors out, once for many evaluations."""
    products = (field.factors @ field.factors.mT).flatten(1)
    d = field.centroids.shape[1]
    floor = field.regularization * torch.eye(d, dtype=products.dtype, device=products.device).flatten()
    norms = field.centroids.square().sum(-1)
    return MetricKernels(field.centroids, norms, products, floor, field.temperature)


def inverse_metric(field: MetricField | MetricKernels, z: Tensor) -> Tensor:
    """Give G^-1(z): (B, d) -> (B, d, d)."""
    kernels = _expanded(field)
    return _assemble(kernels, _kernel_weights(kernels, z))


def log_inverse_volume(field: MetricField | MetricKernels, z: Tensor) -> Tensor:
    """Give log sqrt det G^-1(z): (B, d) -> (B,). High where the data are, low in the voids; NaN where G^-1 is not."""
    return log_root_determinant(inverse_metric(field, z))[0]


def log_inverse_volume_and_gradient(field: MetricField | MetricKernels, z: Tensor) -> tuple[Tensor, Tensor]:
    """Give log sqrt det G^-1(z) and its gradient: (B, d) -> (B,), (B, d).

    The gradient is 1/T^2 sum_i w_i tr(G M_i) (c_i - z): Jacobi's formula on eq. 1.7.
    """
    kernels = _expanded(field)
    here = local_metric(kernels, z)
    return here.log_inverse_volume, kernel_pull(kernels, here, here.metric)


def local_metric(field: MetricField | MetricKernels, z: Tensor) -> LocalMetric:
    """Evaluate everything about the metric at z (B, d)."""
    kernels = _expanded(field)
    weights = _kernel_weights(kernels, z)
    inverse = _assemble(kernels, weights)
    volume, cholesky = log_root_determinant(inverse)
    return LocalMetric(z, weights, inverse, cholesky, torch.cholesky_inverse(cholesky), volume)


def kernel_pull(kernels: MetricKernels, here: LocalMetric, matrices: Tensor) -> Tensor:
    """Give 1/T^2 sum_i w_i <matrices, M_i> (c_i - z): (B, d, d) -> (B, d), half the gradient of <matrices, G^-1(z)>."""
    return _pull(kernels, here.position, here.weights, matrices)


def draw_velocity(here: LocalMetric, noise: Tensor) -> Tensor:
    """Turn standard normal noise (B, d) into N(0, G(z)): v = C^-T noise, as G = C^-T C^-1."""
    velocity: Tensor = torch.linalg.solve_triangular(here.cholesky.mT, noise.unsqueeze(-1), upper=True)
    return velocity.squeeze(-1)


def log_velocity_density(here: LocalMetric, velocity: Tensor) -> Tensor:
    """Give log N(v; 0, G(z)): (B, d) -> (B,)."""
    kinetic = 0.5 * (velocity * apply_inverse(here.inverse, velocity)).sum(-1)
    return here.log_inverse_volume - kinetic - 0.5 * velocity.shape[-1] * math.log(2 * math.pi)


def apply_inverse(inverse: Tensor, velocity: Tensor) -> Tensor:
    """Give G^-1 v: (B, d, d), (B, d) -> (B, d)."""
    return (inverse @ velocity.unsqueeze(-1)).squeeze(-1)


def log_root_determinant(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Give log sqrt det (B,), NaN where not positive definite, and the lower Cholesky factor of matrices (B, d, d)."""
    # Through the Cholesky factor: at lambda = 1e-2 the determinant underflows float32 beyond d = 20.
    # cholesky_ex: one point that fails becomes NaN (rejected by a chain) instead of stopping all of them.
    cholesky, failed = torch.linalg.cholesky_ex(matrices)
    volume = cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return volume.masked_fill(failed != 0, torch.nan), cholesky


def squared_distances(z: Tensor, centroids: Tensor) -> Tensor:
    """Give |z - c_i|^2 as one matrix product: (B, d), (N, d) -> (B, N), below zero where rounding says so."""
    # No clamp at zero: it would erase the curvature exactly at the centroids, where training evaluates it.
    return _squared_distances(z, centroids, centroids.square().sum(-1))


def _log_volume_and_gradient(kernels: MetricKernels, z: Tensor) -> tuple[Tensor, Tensor]:
    volume, gradient = log_inverse_volume_and_gradient(kernels, z)
    return -volume, -gradient


def _volume_gradient(kernels: MetricKernels, z: Tensor) -> Tensor:
    weights = _kernel_weights(kernels, z)
    cholesky, _ = torch.linalg.cholesky_ex(_assemble(kernels, weights))
    return -_pull(kernels, z, weights, torch.cholesky_inverse(cholesky))


def _kinetic_gradient(kernels: MetricKernels, z: Tensor, momentum: Tensor) -> Tensor:
    outer = momentum.unsqueeze(-1) * momentum.unsqueeze(-2)
    return _pull(kernels, z, _kernel_weights(kernels, z), outer)


def _pull(kernels: MetricKernels, z: Tensor, weights: Tensor, matrices: Tensor) -> Tensor:
    # They are symmetric, and those from LAPACK lie by columns: their transpose is flattened without a copy.
    rows = matrices if matrices.is_contiguous() else matrices.mT
    pull = weights * (rows.flatten(1) @ kernels.products.mT)
    return torch.addcmul(pull @ kernels.centroids, pull.sum(1, keepdim=True), z, value=-1) / kernels.temperature**2


def _expanded(field: MetricField | MetricKernels) -> MetricKernels:
    return field if isinstance(field, MetricKernels) else expand(field)


def _kernel_weights(kernels: MetricKernels, z: Tensor) -> Tensor:
    squared = _squared_distances(z, kernels.centroids, kernels.squared_norms)
    return torch.exp(squared / -(kernels.temperature**2))


def _squared_distances(z: Tensor, centroids: Tensor, squared_norms: Tensor) -> Tensor:
    return torch.addmm(squared_norms, z, centroids.mT, alpha=-2) + z.square().sum(-1, keepdim=True)


def _assemble(kernels: MetricKernels, weights: Tensor) -> Tensor:
    d = kernels.centroids.shape[1]
    return torch.addmm(kernels.floor, weights, kernels.products).reshape(-1, d, d)
