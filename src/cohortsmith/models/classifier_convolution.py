"""Convolution, batch norm, activation and max pooling by 2 as one step, exact and without full-size intermediates.

Batch norm with a positive scale and the activation both rise, so they commute with the maximum: pooling comes right
after the convolution (its weights' signs turned where the scale is negative), and everything after it sees 2^D times
fewer voxels. The batch's moments are still those of all voxels. The convolution's bias cancels against the mean.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cohortsmith.models.classifier_layout import (
    CONVOLVE,
    Layout,
    convolution_gradients,
    convolved_sides,
    gradient_through_moments,
    moments,
)
from cohortsmith.models.classifier_phases import Phased, convolve_by_phases, phases_fit

_POOL = {2: functional.max_pool2d, 3: functional.max_pool3d}
_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


class Pooled(NamedTuple):
    """Window maxima (B, C, *halved) of a convolution without bias; mean and biased variance (C,) of all its voxels."""

    maxima: Tensor
    mean: Tensor
    variance: Tensor


def convolve_and_pool(images: Tensor, weight: Tensor, layout: Layout) -> Pooled:
    """Convolve (B, K, *shape) with `weight` (C, K, 3, ...), pool by 2 and give the moments; differentiable once.

    Images of one channel that need no gradient are convolved by phases. There, members of a window that are equal to
    its maximum share its gradient; otherwise the first one gets all of it.
    """
    if not images.requires_grad and phases_fit(images, layout):
        return Pooled(*convolve_by_phases(images, weight, layout))
    return Pooled(*_Direct.apply(images, weight, layout))  # type: ignore[no-untyped-call]


def pool_convolution(images: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """Convolve and pool without moments: what a trained network needs."""
    if not torch.is_grad_enabled() and phases_fit(images, layout):
        return Phased.of(images, weight, layout).all_maxima(images)
    convolved = _convolve(_channels_last(images), _channels_last(weight), layout)
    return _POOL[images.ndim - 2](convolved, 2, 2, _low_side(convolved.shape[2:], layout))


def zero_planes_take_part(pooled: Tensor, sides: tuple[int, ...], layout: Layout) -> Tensor:
    """Let the zero plane on the low side of odd axes take part in the maximum; `sides` of the block's images."""
    reached = torch.zeros(pooled.shape[2:], dtype=torch.bool)
    for axis, side in enumerate(convolved_sides(sides, layout)):
        if layout.rounds_up and side % 2:
            reached.select(axis, 0).fill_(True)
    return pooled.masked_fill(reached & (pooled <= 0), 0) if reached.any() else pooled


class _Direct(torch.autograd.Function):
    """The convolution as it is, kept for the backward pass."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
        images, weight = _channels_last(images), _channels_last(weight)
        convolved = _convolve(images, weight, layout)
        low = _low_side(convolved.shape[2:], layout)
        maxima, places = _POOL[images.ndim - 2](convolved, 2, 2, low, return_indices=True)
        rows = convolved.movedim(1, -1).flatten(1, -2)
        sums = sum(image.sum(0).double() for image in rows)
        squares = sum(image.square().sum(0).double() for image in rows)
        mean, variance = (value.to(images.dtype) for value in moments(sums, squares, rows.shape[0] * rows.shape[1]))
        ctx.save_for_backward(images, weight, convolved, places, mean)
        ctx.layout = layout
        return maxima, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None]:
        images, weight, convolved, places, mean = ctx.saved_tensors
        of_maxima, of_mean, of_variance = gradients
        count = convolved.numel() // convolved.shape[1]
        constant, slope = gradient_through_moments(mean, of_mean, of_variance, count)
        dense = torch.addcmul(constant, convolved.movedim(1, -1), slope).flatten(1, -2)
        dense.scatter_add_(1, *(value.movedim(1, -1).flatten(1, -2) for value in (places, of_maxima)))
        dense = dense.reshape(len(dense), *convolved.shape[2:], -1).movedim(-1, 1)
        found = convolution_gradients(dense, images, weight, ctx.layout, ctx.needs_input_grad[0])
        return (*found, None)


def _channels_last(values: Tensor) -> Tensor:
    return values.contiguous(memory_format=_LAST[values.ndim - 2])


def _convolve(images: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    return CONVOLVE[images.ndim - 2](images, weight, stride=layout.stride, padding=layout.padding)


def _low_side(sides: torch.Size, layout: Layout) -> list[int]:
    # PyTorch pads both sides with minus infinity; with windows of 2 the high side's padding is never reached
    return [side % 2 if layout.rounds_up else 0 for side in sides]
