"""The metric that the decoder pulls back from the images: how much they change when the latent point moves."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry
from cohortsmith.core.metric import log_root_determinant

Decoder = Callable[[Tensor], Tensor]
"""A smooth function of latent points, each on its own: (B, d) -> (B, D)."""

POINTS_AT_ONCE = 64  # decoded together: at D = 40 000 and d = 10 their Jacobians take 100 MB in float32


def pullback_geometry(
    dimension: int, mean: Decoder, deviation: Decoder, points_at_once: int = POINTS_AT_ONCE
) -> Geometry:
    """Give G = J_mu^T J_mu + J_sigma^T J_sigma (Brownian prior 2020, eq. 2.5) of z -> mu (B, D) and sigma (B, D).

    A sigma (B, 1) stands for D equal ones. Jacobians by forward differentiation, one product per latent dimension;
    gradients by differentiating those backwards.
    """

    def metric(z: Tensor) -> Tensor:
        return _pullback(mean, deviation, z)

    def in_parts(function: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
        return torch.cat([function(*part) for part in _parts(arguments, points_at_once)])

    def log_volume(z: Tensor) -> Tensor:
        return log_root_determinant(metric(z))[0]

    def kinetic_energy(z: Tensor, momentum: Tensor) -> Tensor:
        cholesky = log_root_determinant(metric(z))[1]
        whitened: Tensor = torch.linalg.solve_triangular(cholesky, momentum.unsqueeze(-1), upper=False)
        return 0.5 * whitened.square().sum((-2, -1))

    def log_volume_and_gradient(z: Tensor) -> tuple[Tensor, Tensor]:
        parts = [_value_and_gradient(log_volume, part) for (part,) in _parts((z,), points_at_once)]
        return torch.cat([value for value, _ in parts]), torch.cat([gradient for _, gradient in parts])

    def kinetic_gradient(z: Tensor, momentum: Tensor) -> Tensor:
        return in_parts(lambda *part: _value_and_gradient(kinetic_energy, *part)[1], z, momentum)

    return Geometry(
        dimension=dimension,
        metric=lambda z: in_parts(metric, z),
        inverse=lambda z: _inverse(in_parts(metric, z)),
        log_volume=lambda z: in_parts(log_volume, z),
        log_volume_and_gradient=log_volume_and_gradient,
        kinetic_gradient=kinetic_gradient,
    )


def _inverse(metric: Tensor) -> Tensor:
    # A decoder that does not react to a latent axis has no inverse there: NaN for that point, not an error for all.
    volume, cholesky = log_root_determinant(metric)
    failed = volume.isnan()[:, None, None]
    identity = torch.eye(metric.shape[-1], dtype=metric.dtype, device=metric.device)
    return torch.cholesky_inverse(torch.where(failed, identity, cholesky)).masked_fill(failed, torch.nan)


def jacobian(function: Decoder, z: Tensor) -> Tensor:
    """Give the derivatives of D outputs along each latent axis: (B, d) -> (B, d, D), the Jacobian transposed."""

    def along(axis: Tensor) -> Tensor:
        # torch.func rather than torch.autograd.functional: forward mode, and itself differentiable backwards.
        tangent: Tensor = torch.func.jvp(function, (z,), (axis.expand_as(z),))[1]
        return tangent

    axes = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return torch.stack([along(axis) for axis in axes], dim=1)


def _pullback(mean: Decoder, deviation: Decoder, z: Tensor) -> Tensor:
    moved, widened = jacobian(mean, z), jacobian(deviation, z)
    shared_by = moved.shape[2] / widened.shape[2]
    return moved @ moved.mT + shared_by * (widened @ widened.mT)


def _value_and_gradient(function: Callable[..., Tensor], z: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        point = z.detach().requires_grad_()
        value = function(point, *others)
        (gradient,) = torch.autograd.grad(value.sum(), point)
    return value.detach(), gradient


def _parts(arguments: tuple[Tensor, ...], at_once: int) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(torch.split(argument, at_once) for argument in arguments), strict=True)
