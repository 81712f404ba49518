"""The classifiers that judge the augmentation, and how they are trained."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    model_validator,
)

from cohortsmith.config.base import Config, read_kind

Kind = Literal[
    "conv5_fc3",
    "conv5_fc3_down",
    "optimized",
    "cnn_2d",
    "custom",
    "mlp",
    "densenet",
    "random_forest",
    "k_nearest_neighbours",
    "support_vector_machine",
    "sklearn_mlp",
]
Activation = Literal["relu", "leaky_relu"]
Probability = Annotated[float, Field(ge=0, lt=1)]


class ClassifierConfig(Config):
    """What every kind of classifier has."""

    kind: Kind


class NeuralNetworkConfig(ClassifierConfig):
    """A network: Adam on cross-entropy for a number of steps that is the same for every arm.

    batch_size: a multiple of 4, so that every batch is half patients, and half real where two sources mix.
    evaluations: evenly spaced points at which the state is validated on real images.
    """

    learning_rate: PositiveFloat = 1e-4
    weight_decay: NonNegativeFloat = 0.0
    batch_size: int = Field(default=16, gt=0, multiple_of=4)
    optimizer_steps: PositiveInt = 200
    evaluations: PositiveInt = 10

    @model_validator(mode="after")
    def _leave_steps_between_evaluations(self) -> Self:
        if self.evaluations > self.optimizer_steps:
            raise ValueError("evaluations cannot exceed optimizer_steps")
        return self


class Conv5FC3Config(NeuralNetworkConfig):
    """ClinicaDL's Conv5_FC3, for images of 1 mm: 169 x 208 x 179 (TPAMI 2022, baseline network).

    activation: ReLU in the code that was run, leaky ReLU in the paper.
    """

    kind: Literal["conv5_fc3"] = "conv5_fc3"
    dropout: Probability = 0.5
    activation: Activation = "relu"


class Conv5FC3DownConfig(NeuralNetworkConfig):
    """The baseline network of the TPAMI paper for down-sampled images: 84 x 104 x 89."""

    kind: Literal["conv5_fc3_down"] = "conv5_fc3_down"
    dropout: Probability = 0.5
    activation: Activation = "relu"


class OptimizedConfig(NeuralNetworkConfig):
    """The network that the TPAMI paper's random search chose for 84 x 104 x 89.

    third_block: channels of the third block's last convolution; its figure says 10, the search's rules give 20.
    """

    kind: Literal["optimized"] = "optimized"
    third_block: Literal[20, 10] = 20
    dropout: Probability = 0.001
    activation: Activation = "leaky_relu"


class CNN2DConfig(NeuralNetworkConfig):
    """The slice network of Chadebec's thesis (2023), table 2.6.

    Its 256 features at 208 x 176 follow without padding and with pooling that rounds down; at half the sides, with
    `convolution_padding: 1` and `padded_pooling: true`.
    """

    kind: Literal["cnn_2d"] = "cnn_2d"
    convolution_padding: Literal[0, 1] = 0
    padded_pooling: bool = False
    dropout: Probability = 0.0
    activation: Activation = "leaky_relu"
    dense_activation: Activation = "relu"


class CustomConfig(NeuralNetworkConfig):
    """Blocks of convolutions (side 3, batch norm, activation) that end in max pooling, then dense layers.

    channels: of each block. convolutions: in each block, one where it is empty; all but the last keep the channels
    that the block is given. strides: of the last convolution in each block, 1 where it is empty.
    padded_pooling: halve rounding up, with a zero plane on the low-index side; else round down.
    """

    kind: Literal["custom"] = "custom"
    channels: tuple[PositiveInt, ...] = Field(default=(4, 8, 16, 32), min_length=1)
    convolutions: tuple[PositiveInt, ...] = ()
    strides: tuple[PositiveInt, ...] = (2, 1, 1, 1)
    convolution_padding: Literal[0, 1] = 1
    padded_pooling: bool = True
    dense: tuple[PositiveInt, ...] = (50,)
    learning_rate: PositiveFloat = 1e-3
    dropout: Probability = 0.5
    activation: Activation = "relu"
    dense_activation: Activation = "relu"

    @model_validator(mode="after")
    def _one_number_per_block(self) -> Self:
        for name, values in {"strides": self.strides, "convolutions": self.convolutions}.items():
            if values and len(values) != len(self.channels):
                raise ValueError(f"{name} needs one number per convolution block, as many as channels")
        return self


class MLPConfig(NeuralNetworkConfig):
    """A multi-layer perceptron, of 400 hidden units in the thesis (1.8.4, 2.7.2)."""

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[PositiveInt, ...] = (400,)
    dropout: Probability = 0.0
    activation: Activation = "relu"
    learning_rate: PositiveFloat = 1e-3


class DenseNetConfig(NeuralNetworkConfig):
    """MONAI's DenseNet (Huang et al. 2017); the thesis's has depth 20 and growth 10 (1.8.4).

    layers: per dense block, two convolutions each; three blocks of 2 are the depth nearest to 20 that can be built.
    """

    kind: Literal["densenet"] = "densenet"
    growth: PositiveInt = 10
    first_channels: PositiveInt = 20
    layers: tuple[PositiveInt, ...] = Field(default=(2, 2, 2), min_length=1)
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-4


class EstimatorConfig(ClassifierConfig):
    """A classifier of scikit-learn, fitted once on all images of its arm."""

    optimizer_steps: ClassVar[int] = 0


class RandomForestConfig(EstimatorConfig):
    """A random forest, classes weighted by the inverse of their frequency."""

    kind: Literal["random_forest"] = "random_forest"
    n_trees: PositiveInt = 100


class NearestNeighboursConfig(EstimatorConfig):
    """The k nearest neighbours by Euclidean distance; k odd, so that there are no ties."""

    kind: Literal["k_nearest_neighbours"] = "k_nearest_neighbours"
    n_neighbours: int = Field(default=5, gt=0)

    @model_validator(mode="after")
    def _break_ties(self) -> Self:
        if self.n_neighbours % 2 == 0:
            raise ValueError("n_neighbours must be odd")
        return self


class SupportVectorMachineConfig(EstimatorConfig):
    """A support vector machine, classes weighted by the inverse of their frequency; penalty: C."""

    kind: Literal["support_vector_machine"] = "support_vector_machine"
    kernel: Literal["rbf", "linear"] = "rbf"
    penalty: PositiveFloat = 1.0


class SklearnMLPConfig(EstimatorConfig):
    """scikit-learn's multi-layer perceptron, which stops by itself when its loss does not fall any more."""

    kind: Literal["sklearn_mlp"] = "sklearn_mlp"
    hidden: tuple[PositiveInt, ...] = Field(default=(400,), min_length=1)
    learning_rate: PositiveFloat = 1e-3
    max_epochs: PositiveInt = 200


_KINDS: dict[str, type[ClassifierConfig]] = {
    "conv5_fc3": Conv5FC3Config,
    "conv5_fc3_down": Conv5FC3DownConfig,
    "optimized": OptimizedConfig,
    "cnn_2d": CNN2DConfig,
    "custom": CustomConfig,
    "mlp": MLPConfig,
    "densenet": DenseNetConfig,
    "random_forest": RandomForestConfig,
    "k_nearest_neighbours": NearestNeighboursConfig,
    "support_vector_machine": SupportVectorMachineConfig,
    "sklearn_mlp": SklearnMLPConfig,
}


def read_classifier(values: Any, where: str = "parameters.classifier") -> ClassifierConfig:
    """Build the configuration of the kind of classifier that `values` names; without a kind, of a custom one.

    Raises:
        ConfigurationError: an unknown kind, a key that this kind has not, or a value out of range.
    """
    return read_kind(values, where, "classifier", _KINDS, "custom")


ClassifierChoice = Annotated[SerializeAsAny[ClassifierConfig], BeforeValidator(read_classifier)]
"""The configuration of any kind of classifier, as a field of another block."""
