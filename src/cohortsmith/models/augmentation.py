"""Classic augmentation of a batch by MONAI: small rotations, shifts, scalings, flips, contrast changes and noise."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from cohortsmith.config.judge import ClassicAugmentationConfig


def augment(images: Tensor, config: ClassicAugmentationConfig, generator: torch.Generator) -> Tensor:
    """Draw a new version of every image: (B, 1, *shape) in [0, 1] -> the same; the input is left as it is.

    MONAI's transforms draw from states of their own, which are seeded from the generator: same state, same result.
    """
    place_seed, vary_seed = torch.randint(2**32, (2,), generator=generator).tolist()
    place = placement(config, tuple(images.shape[2:])).set_random_state(place_seed)
    vary = intensity_change(config).set_random_state(vary_seed)
    with _without_metadata():
        placed = torch.stack([place(image) for image in images])
        varied = torch.stack([vary(image) for image in placed])
    # a masked-out background stays exactly zero, as it is in the images the classifier is tested on
    return (varied * (placed > 0)).clamp(0, 1)


def placement(config: ClassicAugmentationConfig, shape: tuple[int, ...]) -> Any:
    """Build what turns, scales and shifts images (1, *shape) by one linear resampling, zero outside, and mirrors."""
    from monai.transforms import Compose, RandAffine, RandFlip  # noqa: PLC0415  MONAI takes seconds to import

    dimension = len(shape)
    move = RandAffine(
        config.probability,
        rotate_range=[torch.pi / 180 * config.rotation_degrees] * (dimension * (dimension - 1) // 2),
        translate_range=[config.shift_fraction * side for side in shape],
        scale_range=[config.scale_fraction] * dimension,
        mode="bilinear",
        padding_mode="zeros",
    )
    if config.left_right_axis is None:
        return Compose([move])
    return Compose([move, RandFlip(config.probability, config.left_right_axis)])


def intensity_change(config: ClassicAugmentationConfig) -> Any:
    """Build what stretches, shifts and roughens the intensities of images (1, *shape)."""
    from monai import transforms  # noqa: PLC0415  MONAI takes seconds to import

    return transforms.Compose(
        [
            transforms.RandScaleIntensity(config.contrast_fraction, config.probability),
            transforms.RandShiftIntensity(config.brightness, prob=config.probability),
            transforms.RandGaussianNoise(config.probability, std=config.noise_sd, sample_std=False),
        ]
    )


@contextmanager
def _without_metadata() -> Iterator[None]:
    # MONAI's record of what was done to an image takes as long as doing it to a slice of 88 x 104
    from monai.data import get_track_meta, set_track_meta  # noqa: PLC0415  MONAI takes seconds to import

    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)
