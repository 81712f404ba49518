"""The convolution of one-channel images by phases: each gives one member of every pooling window.

A convolution of stride 2 and side 4 gives the 2^D members as channels; their maximum is the pooling. A few images are
taken at a time, so that the members stay in the cache; the backward pass computes them again instead of keeping them.
"""

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cohortsmith.models.classifier_layout import (
    CONVOLVE,
    KERNEL,
    Layout,
    convolution_gradients,
    convolved_sides,
    gradient_through_moments,
    moments,
    pooled_sides,
)

IN_CACHE = 2**25  # bytes of members at a time; larger blocks of memory also go back to the system each time


def phases_fit(images: Tensor, layout: Layout) -> bool:
    """Say whether the images have one channel and every voxel of their convolution is in a pooling window."""
    even = all(side % 2 == 0 for side in convolved_sides(tuple(images.shape[2:]), layout))
    return images.shape[1] == 1 and (layout.rounds_up or even)


def convolve_by_phases(images: Tensor, weight: Tensor, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """Give maxima, mean and variance of a convolution without bias; the images get no gradient."""
    found: tuple[Tensor, Tensor, Tensor] = _ByPhases.apply(images, weight, layout)  # type: ignore[no-untyped-call]
    return found


class _ByPhases(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
        phased = Phased.of(images, weight, layout)
        maxima = images.new_empty(len(images), len(weight), *phased.sides)
        sums, squares = (torch.zeros(len(weight), dtype=torch.float64) for _ in range(2))
        for some in phased.parts(images):
            members = phased.members(images[some])
            sums += members.sum((0, 1, 3))
            squares += members.square().sum((0, 1, 3))
            torch.amax(phased.without_outsiders(members, -torch.inf), 1, out=maxima[some].flatten(2))
        count = len(images) * prod(convolved_sides(tuple(images.shape[2:]), layout))
        mean, variance = (value.to(images.dtype) for value in moments(sums, squares, count))
        ctx.save_for_backward(images, weight, maxima, mean)
        ctx.layout, ctx.count = layout, count
        return maxima, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        images, weight, maxima, mean = ctx.saved_tensors
        of_maxima, of_mean, of_variance = gradients
        coefficients = gradient_through_moments(mean, of_mean, of_variance, ctx.count)
        constant, slope = (value.unsqueeze(1) for value in coefficients)
        phased = Phased.of(images, weight, ctx.layout)
        peaks, of_peaks = maxima.flatten(2).unsqueeze(1), of_maxima.contiguous().flatten(2).unsqueeze(1)
        of_kernels = torch.zeros_like(phased.kernels)
        for some in phased.parts(images):
            members = phased.members(images[some])
            gradient = phased.without_outsiders(torch.addcmul(constant, members, slope), 0.0)
            highest = (phased.without_outsiders(members, -torch.inf) == peaks[some]).to(images.dtype)
            gradient.addcmul_(highest, of_peaks[some] / highest.sum(1, keepdim=True))
            of_kernels += phased.kernel_gradient(images[some], gradient)
        return None, phased.collect(of_kernels), None


class Phased(NamedTuple):
    """A convolution of one-channel images that gives the 2^D members of each pooling window.

    kernels: (2^D C, 1, 3 + stride, ...). stride: of the convolution proper. margins: planes of zeros around the images,
    as `functional.pad` counts them. odd: which axes have a first window that reaches outside. sides: (*halved).
    """

    kernels: Tensor
    stride: int
    margins: list[int]
    odd: tuple[bool, ...]
    sides: tuple[int, ...]
    phases: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, images: Tensor, weight: Tensor, layout: Layout) -> "Phased":
        """Prepare for these images (B, 1, *shape) and this weight (C, 1, 3, ...)."""
        shape, stride = tuple(images.shape[2:]), layout.stride
        odd = tuple(side % 2 == 1 for side in convolved_sides(shape, layout))
        sides = pooled_sides(shape, layout)
        phases = tuple(product((0, 1), repeat=len(shape)))
        kernels = weight.new_zeros(len(phases), *weight.shape[:2], *[KERNEL + stride] * len(shape))
        for phase, kernel in zip(phases, kernels, strict=True):
            kernel[_window(phase, stride)] = weight
        margins: list[int] = []
        for side, is_odd, halved in zip(shape, odd, sides, strict=True):
            low = layout.padding + stride * is_odd
            needed = 2 * stride * (halved - 1) + KERNEL + stride
            margins = [low, needed - side - low, *margins]  # functional.pad counts axes from the last one
        return cls(kernels.flatten(0, 1), stride, margins, odd, sides, phases)

    def parts(self, images: Tensor) -> Iterator[slice]:
        """Cut the batch into parts whose members fit the cache."""
        size = len(self.kernels) * prod(self.sides) * images.element_size()
        step = max(1, IN_CACHE // size)
        return (slice(start, start + step) for start in range(0, len(images), step))

    def members(self, images: Tensor) -> Tensor:
        """Convolve images (B, 1, *shape) -> (B, 2^D, C, voxels), zero outside the convolution proper."""
        padded = functional.pad(images, self.margins)
        convolved = CONVOLVE[len(self.sides)](padded, self.kernels, stride=2 * self.stride)
        return self.without_outsiders(convolved.reshape(len(images), len(self.phases), -1, prod(self.sides)), 0.0)

    def without_outsiders(self, members: Tensor, value: float) -> Tensor:
        """Give members outside the convolution proper this value, in place."""
        images = members.view(*members.shape[:3], *self.sides)
        for axis, is_odd in enumerate(self.odd):
            for place, phase in enumerate(self.phases):
                if is_odd and phase[axis] == 0:
                    images[:, place].select(axis + 2, 0).fill_(value)
        return members

    def all_maxima(self, images: Tensor) -> Tensor:
        """Give the maxima (B, C, *halved) of all images."""
        parts = (self.members(images[some]) for some in self.parts(images))
        found = [self.without_outsiders(members, -torch.inf).amax(1) for members in parts]
        return torch.cat(found).reshape(len(images), -1, *self.sides)

    def kernel_gradient(self, images: Tensor, of_members: Tensor) -> Tensor:
        """Give the gradient of the kernels from that of the members (B, 2^D, C, voxels) of images."""
        padded = functional.pad(images, self.margins)
        gradient = of_members.reshape(len(images), -1, *self.sides)
        layout = Layout(2 * self.stride, 0, rounds_up=False)
        return convolution_gradients(gradient, padded, self.kernels, layout, of_images=False)[1]

    def collect(self, of_kernels: Tensor) -> Tensor:
        """Sum the kernels' gradient over the phases: -> (C, 1, 3, ...)."""
        by_phase = of_kernels.reshape(len(self.phases), -1, *of_kernels.shape[1:])
        windows = [kernel[_window(phase, self.stride)] for phase, kernel in zip(self.phases, by_phase, strict=True)]
        return torch.stack(windows).sum(0)


def _window(phase: tuple[int, ...], stride: int) -> tuple[slice, ...]:
    return (slice(None), slice(None), *(slice(stride * low, stride * low + KERNEL) for low in phase))
