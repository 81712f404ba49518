"""The classifiers and arms that say what the augmentation is worth."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from cohortsmith.config.base import Config

Arm = Literal["real", "real+classic", "synthetic", "real+synthetic", "random-labels"]


class ClassifierConfig(Config):
    """A CNN of convolution blocks (3^n kernel, padding 1, batch norm, activation, max pooling) and a dense head.

    strides: of the convolution in each block (table 2.6 uses 1, 1, 2, 2; the 3-D nets 1 throughout).
    """

    channels: tuple[PositiveInt, ...] = (8, 16, 32, 64, 128)
    strides: tuple[PositiveInt, ...] = (1, 1, 1, 1, 1)
    padded_pooling: bool = True
    dense: tuple[PositiveInt, ...] = (350, 25)
    dropout: float = Field(0.5, ge=0, lt=1)
    activation: Literal["relu", "leaky_relu"] = "relu"
    dense_activation: Literal["relu", "leaky_relu"] = "relu"
    learning_rate: PositiveFloat = 1e-4
    weight_decay: float = Field(0.0, ge=0)
    batch_size: PositiveInt = 16
    optimizer_steps: PositiveInt = 200
    evaluations: PositiveInt = 20


class JudgeConfig(Config):
    """Which arms are trained, how often, and how many synthetic scans per class they see."""

    arms: tuple[Arm, ...] = ("real", "real+classic", "synthetic", "real+synthetic", "random-labels")
    n_seeds: PositiveInt = 5
    n_synthetic: PositiveInt = 100
    first_seed: int = 0
    confidence: float = Field(0.95, gt=0.5, lt=1)
    bootstrap: PositiveInt = 2000
