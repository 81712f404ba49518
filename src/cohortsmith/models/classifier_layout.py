"""What a block's last convolution and its pooling do to an image's sides, and what batch norm's moments need of it."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

CONVOLVE = {2: functional.conv2d, 3: functional.conv3d}
KERNEL = 3


class Layout(NamedTuple):
    """stride and padding of a convolution of side 3; rounds_up: whether the pooling halves sides rounding up.

    Rounding up adds a zero plane on the low-index side, after the activation (ClinicaDL's PadMaxPool3d).
    """

    stride: int
    padding: int
    rounds_up: bool


def convolved_sides(sides: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """Give the sides of the convolution of an image."""
    return tuple((side + 2 * layout.padding - KERNEL) // layout.stride + 1 for side in sides)


def pooled_sides(sides: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """Give the sides after convolution and pooling."""
    return tuple((side + layout.rounds_up) // 2 for side in convolved_sides(sides, layout))


def convolution_gradients(
    gradient: Tensor, images: Tensor, weight: Tensor, layout: Layout, of_images: bool
) -> tuple[Tensor | None, Tensor]:
    """Give the gradients of the images, if they are wanted, and of the weight from that of the convolution."""
    stride, padding, ones, zeros = ([n] * (images.ndim - 2) for n in (layout.stride, layout.padding, 1, 0))
    mask = [of_images, True, False]
    found = torch.ops.aten.convolution_backward(
        gradient, images, weight, None, stride, padding, ones, False, zeros, 1, mask
    )
    return found[0], found[1]


def moments(sums: Tensor, squares: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Give mean and biased variance (C,) from sums in double precision: their difference is the variance."""
    mean = sums / count
    return mean, (squares / count - mean.square()).clamp(min=0)


def gradient_through_moments(mean: Tensor, of_mean: Tensor, of_variance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Give a and b (C,) of a + b y, what the moments of y add to its gradient."""
    slope = 2 * of_variance / count
    return of_mean / count - slope * mean, slope
