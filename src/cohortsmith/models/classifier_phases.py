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

IN_CACHE = 2**21  # bytes of members at a time, for a core's own cache (measured: 2 to 4 MB alike, 1 and 32 slower)


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
        for part in phased.parts(images):
            members = phased.members(part)
            sums += members.sum((0, 1, 3))
            squares += members.square().sum((0, 1, 3))
            maxima[part.where] = phased.peaks(members, part)
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
        of_kernels = torch.zeros_like(phased.kernels)
        for part in phased.parts(images):
            members = phased.members(part)
            gradient = phased.without_outsiders(torch.addcmul(constant, members, slope), 0.0, part)
            peaks, of_peaks = (value[part.where].flatten(2).unsqueeze(1) for value in (maxima, of_maxima))
            highest = (phased.without_outsiders(members, -torch.inf, part) == peaks).to(images.dtype)
            gradient.addcmul_(highest, of_peaks / highest.sum(1, keepdim=True))
            of_kernels += phased.kernel_gradient(part, gradient)
        return None, phased.collect(of_kernels), None


class Part(NamedTuple):
    """Some pooling windows of some images: so many planes of `maxima` (B, C, *halved), and the voxels that they see."""

    images: slice
    planes: slice
    padded: Tensor

    @property
    def where(self) -> tuple[slice, slice, slice]:
        """Index (B, C, *halved)."""
        return self.images, slice(None), self.planes


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

    def parts(self, images: Tensor) -> Iterator[Part]:
        """Cut the batch (B, 1, *shape) into parts whose members fit the cache: slabs of an image, or whole images."""
        plane = len(self.kernels) * prod(self.sides[1:]) * images.element_size()
        thickness = min(self.sides[0], max(1, IN_CACHE // plane))
        some = max(1, IN_CACHE // (plane * self.sides[0]))
        for image in range(0, len(images), some):
            padded = functional.pad(images[image : image + some], self.margins)
            for low in range(0, self.sides[0], thickness):
                high = min(low + thickness, self.sides[0])
                step = 2 * self.stride
                seen = padded[:, :, step * low : step * (high - 1) + KERNEL + self.stride]
                yield Part(slice(image, image + some), slice(low, high), seen)

    def members(self, part: Part) -> Tensor:
        """Convolve a part -> (B, 2^D, C, voxels), zero outside the convolution proper."""
        convolved = CONVOLVE[len(self.sides)](part.padded, self.kernels, stride=2 * self.stride)
        members = convolved.reshape(len(convolved), len(self.phases), -1, prod(convolved.shape[2:]))
        return self.without_outsiders(members, 0.0, part)

    def without_outsiders(self, members: Tensor, value: float, part: Part) -> Tensor:
        """Give members outside the convolution proper this value, in place."""
        images = members.view(*members.shape[:3], -1, *self.sides[1:])
        for axis, is_odd in enumerate(self.odd):
            starts = axis > 0 or part.planes.start == 0
            for place, phase in enumerate(self.phases):
                if is_odd and starts and phase[axis] == 0:
                    images[:, place].select(axis + 2, 0).fill_(value)
        return members

    def peaks(self, members: Tensor, part: Part) -> Tensor:
        """Give the maxima (B, C, planes, *halved) of a part's windows."""
        highest = self.without_outsiders(members, -torch.inf, part).amax(1)
        return highest.reshape(*highest.shape[:2], -1, *self.sides[1:])

    def all_maxima(self, images: Tensor) -> Tensor:
        """Give the maxima (B, C, *halved) of all images."""
        maxima = images.new_empty(len(images), len(self.kernels) // len(self.phases), *self.sides)
        for part in self.parts(images):
            maxima[part.where] = self.peaks(self.members(part), part)
        return maxima

    def kernel_gradient(self, part: Part, of_members: Tensor) -> Tensor:
        """Give the gradient of the kernels from that of a part's members (B, 2^D, C, voxels)."""
        gradient = of_members.reshape(len(of_members), len(self.kernels), -1, *self.sides[1:])
        layout = Layout(2 * self.stride, 0, rounds_up=False)
        return convolution_gradients(gradient, part.padded, self.kernels, layout, of_images=False)[1]

    def collect(self, of_kernels: Tensor) -> Tensor:
        """Sum the kernels' gradient over the phases: -> (C, 1, 3, ...)."""
        by_phase = of_kernels.reshape(len(self.phases), -1, *of_kernels.shape[1:])
        windows = [kernel[_window(phase, self.stride)] for phase, kernel in zip(self.phases, by_phase, strict=True)]
        return torch.stack(windows).sum(0)


def _window(phase: tuple[int, ...], stride: int) -> tuple[slice, ...]:
    return (slice(None), slice(None), *(slice(stride * low, stride * low + KERNEL) for low in phase))
