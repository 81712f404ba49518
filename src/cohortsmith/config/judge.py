"""The arms that say what the augmentation is worth."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from cohortsmith.config.base import Config

Arm = Literal[
    "real", "real+classic", "real+oversampling", "synthetic", "real+synthetic", "real+vae-prior", "random-labels"
]
"""What a classifier is trained on.

real+oversampling: copies of the real images, as many as there are synthetic ones, in the synthetic ones' place.
real+vae-prior: images that a plain VAE makes of draws from its prior, in the synthetic ones' place.
"""


class ClassicAugmentationConfig(Config):
    """Largest change that the classic arm makes to an image; each is drawn uniformly up to it.

    rotation_degrees about each axis, shift_fraction of each side, scale_fraction and contrast_fraction
    around 1, brightness and noise_sd in units of the [0, 1] intensity range.
    left_right_axis: the image axis that a flip mirrors (0 in RAS order); None never flips.
    """

    rotation_degrees: NonNegativeFloat = 8.0
    shift_fraction: float = Field(default=0.03, ge=0, lt=0.5)
    scale_fraction: float = Field(default=0.05, ge=0, lt=0.5)
    contrast_fraction: float = Field(default=0.1, ge=0, lt=1)
    brightness: NonNegativeFloat = 0.05
    noise_sd: NonNegativeFloat = 0.02
    left_right_axis: Literal[0, 1, 2] | None = 0


class JudgeConfig(Config):
    """Which arms are trained, how often, and how many synthetic scans per class they see.

    smallest_effect: the difference of balanced accuracy, in [0, 1], below which an effect does not matter.
    quarantine: whether classifiers see the synthetic scans that the screen for copies flags (`report`: they are listed
        and marked only) or not (`exclude`).
    """

    arms: tuple[Arm, ...] = ("real", "real+classic", "synthetic", "real+synthetic", "random-labels")
    n_seeds: PositiveInt = 5
    n_synthetic: PositiveInt = 100
    first_seed: int = 0
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    bootstrap: int = Field(default=2000, ge=100)
    smallest_effect: float = Field(default=0.05, gt=0, lt=1)
    quarantine: Literal["report", "exclude"] = "report"
    classic: ClassicAugmentationConfig = ClassicAugmentationConfig()
