"""Classic augmentation of a batch: small rotations, shifts, scalings, flips, contrast changes and noise.

Written on PyTorch's own resampler: MONAI's and TorchIO's transforms work image by image and draw from their
own random state, not from the generator that is passed.
"""

import torch
from torch import Tensor
from torch.nn import functional

from cohortsmith.config.judge import ClassicAugmentationConfig


def augment(images: Tensor, config: ClassicAugmentationConfig, generator: torch.Generator) -> Tensor:
    """Draw a new version of every image: (B, 1, *shape) in [0, 1] -> the same; the input is left as it is.

    One trilinear (bilinear in 2-D) resampling per image, zero outside. Same generator state, same result.
    """
    moved = move(images, draw_placements(images, config, generator))
    return vary_intensity(moved, config, generator)


def draw_placements(images: Tensor, config: ClassicAugmentationConfig, generator: torch.Generator) -> Tensor:
    """Draw (B, D, D + 1) affine maps from output to input positions, in pixels about the image's centre."""
    batch, dimension = images.shape[0], images.ndim - 2
    n_planes = dimension * (dimension - 1) // 2
    angles = _uniform((batch, n_planes), torch.pi / 180 * config.rotation_degrees, generator)
    scale = 1 + _uniform((batch, 1, 1), config.scale_fraction, generator)
    shift = _uniform((batch, dimension), config.shift_fraction, generator) * torch.tensor(images.shape[2:])
    mirror = torch.ones(batch, dimension)
    if config.left_right_axis is not None:
        mirror[:, config.left_right_axis] -= 2.0 * (torch.rand(batch, generator=generator) < 0.5)
    linear = mirror.unsqueeze(-1) * rotations(angles, dimension) * scale
    return torch.cat([linear, shift.unsqueeze(-1)], dim=-1)


def rotations(angles: Tensor, dimension: int) -> Tensor:
    """Give exp of the skew matrices with these entries: (B, D (D - 1) / 2) radians -> rotations (B, D, D)."""
    rows, columns = torch.triu_indices(dimension, dimension, offset=1)
    skew = angles.new_zeros(len(angles), dimension, dimension)
    skew[:, rows, columns] = angles
    rotation: Tensor = torch.linalg.matrix_exp(skew - skew.mT)
    return rotation


def move(images: Tensor, placements: Tensor) -> Tensor:
    """Resample (B, 1, *shape) at `placements` (B, D, D + 1), in pixels about the centre; zero outside."""
    half = torch.tensor(images.shape[2:]) / 2
    linear = placements[..., :-1] * half / half.unsqueeze(-1)
    shift = placements[..., -1] / half
    # affine_grid works in units of half a side and names the last image axis first
    theta = torch.cat([linear.flip(1, 2), shift.flip(1).unsqueeze(-1)], dim=-1)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def vary_intensity(images: Tensor, config: ClassicAugmentationConfig, generator: torch.Generator) -> Tensor:
    """Stretch, shift and roughen intensities where there is signal: (B, 1, *shape) in [0, 1] -> the same."""
    one_each = (len(images), *[1] * (images.ndim - 1))
    contrast = 1 + _uniform(one_each, config.contrast_fraction, generator)
    brightness = _uniform(one_each, config.brightness, generator)
    noise = config.noise_sd * torch.randn(images.shape, generator=generator)
    # a masked-out background stays exactly zero, as it is in the images the classifier is tested on
    return ((images * contrast + brightness + noise) * (images > 0)).clamp(0, 1)


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> Tensor:
    return bound * (2 * torch.rand(shape, generator=generator) - 1)
