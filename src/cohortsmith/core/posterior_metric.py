"""The metric that any VAE with a Gaussian posterior already contains: its posterior precisions, interpolated."""

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry
from cohortsmith.core.support import largest_gap
from cohortsmith.errors import ConfigurationError

REGULARIZATION = 1e-2  # lambda (geometric perspective 2022, appendix F)


class PosteriorField(NamedTuple):
    """G(z) = sum_i Sigma_i^-1 w_i(z) + lambda exp(-tau |z|^2) I, all of it diagonal (geometric perspective, eq. 7).

    w_i = exp(-(z - mu_i)^T Sigma_i^-1 (z - mu_i) / rho^2).
    centroids: (N, d) posterior means mu_i. precisions: (N, d) diagonals of Sigma_i^-1.
    smoothing: rho > 0. regularization: lambda > 0. decay: tau >= 0, which makes the whole volume finite.
    """

    centroids: Tensor
    precisions: Tensor
    smoothing: float
    regularization: float = REGULARIZATION
    decay: float = 0.0


class _Here(NamedTuple):
    """At B points: position (B, d), log w_i (B, N), log of the diagonal of G (B, d), log of its floor (B, 1)."""

    position: Tensor
    log_weights: Tensor
    log_diagonal: Tensor
    log_floor: Tensor


def posterior_field(
    means: Tensor, log_variances: Tensor, regularization: float = REGULARIZATION, decay: float = 0.0
) -> PosteriorField:
    """Build the field of posteriors N(mu_i, Sigma_i) given as (N, d), (N, d): thesis algorithm 4.

    rho is the largest distance between nearest neighbours. Raises ConfigurationError where that is zero or there are
    no neighbours.
    """
    smoothing = largest_gap(means)
    if not 0 < smoothing < math.inf:
        raise _no_neighbours(means)
    return PosteriorField(means, torch.exp(-log_variances), smoothing, regularization, decay)


def posterior_geometry(field: PosteriorField) -> Geometry:
    """Present the field as the geometry that samplers, curves and distances ask for, all in closed form."""
    return Geometry(
        dimension=field.centroids.shape[1],
        metric=lambda z: torch.diag_embed(_look(field, z).log_diagonal.exp()),
        inverse=lambda z: torch.diag_embed((-_look(field, z).log_diagonal).exp()),
        log_volume=lambda z: _log_volume(_look(field, z)),
        log_volume_and_gradient=partial(_log_volume_and_gradient, field),
        kinetic_gradient=partial(_kinetic_gradient, field),
    )


def _look(field: PosteriorField, z: Tensor) -> _Here:
    log_weights = -_mahalanobis(field, z) / field.smoothing**2
    log_floor = math.log(field.regularization) - field.decay * z.square().sum(-1, keepdim=True)
    kernels = log_weights.exp() @ field.precisions
    # In logarithms: far out the kernels underflow, and the floor too if it decays; its logarithm does not. The inner
    # masks keep a backward pass from dividing by zero.
    log_kernels = kernels.masked_fill(kernels == 0, 1.0).log().masked_fill(kernels == 0, -torch.inf)
    return _Here(z, log_weights, torch.logaddexp(log_kernels, log_floor), log_floor)


def _mahalanobis(field: PosteriorField, z: Tensor) -> Tensor:
    """Give (z - mu_i)^T Sigma_i^-1 (z - mu_i) as two matrix products: (B, d) -> (B, N)."""
    # In double precision: precisions of 1e3 and more would leave float32 no digits of the small differences.
    point, means, precisions = z.double(), field.centroids.double(), field.precisions.double()
    pulled = precisions * means
    squared = point.square() @ precisions.mT - 2 * (point @ pulled.mT) + (pulled * means).sum(-1)
    return squared.to(z.dtype)


def _log_volume(here: _Here) -> Tensor:
    return 0.5 * here.log_diagonal.sum(-1)


def _log_volume_and_gradient(field: PosteriorField, z: Tensor) -> tuple[Tensor, Tensor]:
    here = _look(field, z)
    return _log_volume(here), _half_gradient(field, here, torch.ones_like(z))


def _kinetic_gradient(field: PosteriorField, z: Tensor, momentum: Tensor) -> Tensor:
    here = _look(field, z)
    return _half_gradient(field, here, -momentum.square() * (-here.log_diagonal).exp())


def _half_gradient(field: PosteriorField, here: _Here, shares: Tensor) -> Tensor:
    """Give 1/2 sum_k shares_k d log G_kk / dz: (B, d) -> (B, d)."""
    # Scaled by the smallest entry of the diagonal, so that neither w_i / G_kk nor 1 / G_kk can overflow.
    smallest = here.log_diagonal.amin(-1, keepdim=True)
    relative = (here.log_weights - smallest).exp()
    pull = relative * ((shares * (smallest - here.log_diagonal).exp()) @ field.precisions.mT)
    towards = pull @ (field.precisions * field.centroids) - (pull @ field.precisions) * here.position
    floor = (shares * (here.log_floor - here.log_diagonal).exp()).sum(-1, keepdim=True)
    return towards / field.smoothing**2 - field.decay * floor * here.position


def _no_neighbours(means: Tensor) -> ConfigurationError:
    return ConfigurationError(
        "the posterior means do not say how far apart neighbours are",
        where="posterior metric",
        got=f"{len(means)} means, of which {len(torch.unique(means, dim=0))} differ",
        expected="at least two means, not all of them twice",
        remedy="give more training subjects, or look whether the encoder has collapsed to one point",
    )
