"""The classifiers and arms that say what the augmentation is worth."""

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from cohortsmith.config.base import Config

Arm = Literal["real", "real+classic", "synthetic", "real+synthetic", "random-labels"]


class ClassifierConfig(Config):
    """A CNN of convolution blocks (3^n kernel, batch norm, activation, max pooling) and a dense head.

    strides: of the convolution in each block (table 2.6 uses 1, 1, 2, 2; the 3-D nets 1 throughout).
    padded_pooling: halve rounding up, with a zero plane on the low-index side; else round down.
    batch_size: a multiple of 4, so that every batch is half patients, and half real where two sources mix.
    evaluations: evenly spaced points at which the state is validated on real images.
    """

    channels: tuple[PositiveInt, ...] = Field(default=(8, 16, 32, 64, 128), min_length=1)
    strides: tuple[PositiveInt, ...] = (1, 1, 1, 1, 1)
    convolution_padding: Literal[0, 1] = 1
    padded_pooling: bool = True
    dense: tuple[PositiveInt, ...] = (350, 25)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    activation: Literal["relu", "leaky_relu"] = "relu"
    dense_activation: Literal["relu", "leaky_relu"] = "relu"
    learning_rate: PositiveFloat = 1e-4
    weight_decay: float = Field(default=0.0, ge=0)
    batch_size: int = Field(default=16, gt=0, multiple_of=4)
    optimizer_steps: PositiveInt = 200
    evaluations: PositiveInt = 20

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.strides) != len(self.channels):
            raise ValueError("strides needs one number per convolution block, as many as channels")
        if self.evaluations > self.optimizer_steps:
            raise ValueError("evaluations cannot exceed optimizer_steps")
        return self


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
    """

    arms: tuple[Arm, ...] = ("real", "real+classic", "synthetic", "real+synthetic", "random-labels")
    n_seeds: PositiveInt = 5
    n_synthetic: PositiveInt = 100
    first_seed: int = 0
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    bootstrap: int = Field(default=2000, ge=100)
    smallest_effect: float = Field(default=0.05, gt=0, lt=1)
    classic: ClassicAugmentationConfig = ClassicAugmentationConfig()
