"""The space in which architectures of the classifier are drawn at random."""

from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from cohortsmith.config.base import Config
from cohortsmith.config.classifier import Activation, Probability


class RandomSearchConfig(Config):
    """Random search over architectures by cross-validation (TPAMI 2022: 100 of them, 5 folds).

    The ranges are those of the example that ClinicaDL 0.2 ships; the paper states none. Pairs are inclusive bounds.
    first_channels, convolutions: to choose from; the example's convolutions are 1 or 2, but the network that the
    paper chose has 3 in one block. channels_limit: channels double from block to block until they reach it.
    learning_rate_exponent, weight_decay_exponent: 10 to the power of minus a uniform draw. weight_decay_share:
    how often there is any weight decay.
    """

    n_architectures: PositiveInt = 100
    n_folds: int = Field(default=5, ge=2)
    blocks: tuple[PositiveInt, PositiveInt] = (2, 6)
    first_channels: tuple[PositiveInt, ...] = Field(default=(2, 5), min_length=1)
    channels_limit: PositiveInt = 256
    convolutions: tuple[PositiveInt, ...] = Field(default=(1, 2, 3), min_length=1)
    dense_layers: tuple[PositiveInt, PositiveInt] = (1, 3)
    dropout: tuple[Probability, Probability] = (0.0, 0.9)
    learning_rate_exponent: tuple[PositiveFloat, PositiveFloat] = (2.0, 5.0)
    weight_decay_exponent: tuple[PositiveFloat, PositiveFloat] = (2.0, 4.0)
    weight_decay_share: float = Field(default=0.5, ge=0, le=1)
    activation: Activation = "leaky_relu"
    batch_size: int = Field(default=16, gt=0, multiple_of=4)
    optimizer_steps: PositiveInt = 200
    evaluations: PositiveInt = 10

    @model_validator(mode="after")
    def _order_bounds(self) -> Self:
        for name in ("blocks", "dense_layers", "dropout", "learning_rate_exponent", "weight_decay_exponent"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: the lower bound comes first")
        return self
