"""The convolutional network that tells patients from controls.

Sources: the 3-D nets of Chadebec et al. (TPAMI 2022, appendix; ClinicaDL's `Conv5_FC3`) and the 2-D net of
Chadebec's thesis (2023), table 2.6. That table states 256 features at 208 x 176: convolutions without padding
and pooling that rounds down give it (`convolution_padding: 0, padded_pooling: false`); with padding 1, as its
caption says, they would be 576 (rounding down) or 768 (rounding up). At half the side, 104 x 88, padding 1 and
rounding up give 256 again.
"""

from itertools import pairwise
from math import ceil, prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from cohortsmith.config.judge import ClassifierConfig
from cohortsmith.errors import ConfigurationError

_CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOL = {2: functional.max_pool2d, 3: functional.max_pool3d}
_ACTIVATION = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU}


class Halve(nn.Module):
    """Max-pool (B, C, *shape) by 2: sides round up with a zero plane on the low-index side, or round down."""

    def __init__(self, padded: bool) -> None:
        super().__init__()
        self.padded = padded

    def forward(self, images: Tensor) -> Tensor:
        """Pool by 2: (B, C, *shape) -> (B, C, *halved)."""
        if self.padded:
            # functional.pad counts axes from the last one, low side first
            images = functional.pad(images, [side for n in reversed(images.shape[2:]) for side in (n % 2, 0)])
        return _POOL[images.ndim - 2](images, 2)


class Classifier(nn.Module):
    """Convolution blocks, dropout, dense layers: (B, 1, *shape) -> two logits (B, 2), the control's first."""

    def __init__(self, config: ClassifierConfig, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.features = nn.Sequential(*_blocks(config, len(shape)), nn.Flatten())
        self.head = nn.Sequential(*_dense(config, count_features(config, shape)))

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Score (B, 1, *shape) -> logits (B, 2); dropout draws from `generator`, in training mode only."""
        features: Tensor = self.features(images)
        if self.training and self.dropout > 0:
            kept = torch.rand(features.shape, generator=generator) >= self.dropout
            features = features * kept / (1 - self.dropout)
        logits: Tensor = self.head(features)
        return logits


def build_classifier(config: ClassifierConfig, shape: tuple[int, ...], generator: torch.Generator) -> Classifier:
    """Build the network for 2-D or 3-D images of `shape`, its weights drawn from `generator` alone.

    PyTorch's default law, U(-b, b) with b = 1 / sqrt(fan in) for weights and biases (He et al. 2015 with
    slope sqrt(5)), drawn here because PyTorch itself would draw it from the global generator.

    Raises:
        ConfigurationError: `shape` is neither 2-D nor 3-D, or the blocks halve it to nothing.
    """
    with torch.device("meta"):
        network = Classifier(config, shape)
    network.to_empty(device="cpu")
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear):
            bound = prod(layer.weight.shape[1:]) ** -0.5
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
        elif isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            layer.reset_parameters()
    return network


def count_features(config: ClassifierConfig, shape: tuple[int, ...]) -> int:
    """Count the features that the last block hands to the dense layers, for images of `shape`.

    Raises:
        ConfigurationError: `shape` is neither 2-D nor 3-D, or the blocks halve it to nothing.
    """
    sides = list(shape)
    for stride in config.strides:
        sides = [(side + 2 * config.convolution_padding - 3) // stride + 1 for side in sides]
        sides = [ceil(side / 2) if config.padded_pooling else side // 2 for side in sides]
    if len(shape) not in _CONVOLUTION or min(sides) < 1:
        raise ConfigurationError(
            "the classifier does not fit the images",
            where="parameters.classifier",
            got=f"images of shape {shape}, {len(config.channels)} blocks",
            expected="2-D or 3-D images that are still at least 1 pixel wide after the last block",
            remedy="use fewer blocks, strides of 1, or padded_pooling: true",
        )
    return config.channels[-1] * prod(sides)


def _blocks(config: ClassifierConfig, dimension: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    width = 1
    for channels, stride in zip(config.channels, config.strides, strict=True):
        layers += [
            _CONVOLUTION[dimension](width, channels, 3, stride=stride, padding=config.convolution_padding),
            _NORM[dimension](channels),
            _ACTIVATION[config.activation](),
            Halve(config.padded_pooling),
        ]
        width = channels
    return layers


def _dense(config: ClassifierConfig, n_features: int) -> list[nn.Module]:
    widths = (n_features, *config.dense)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), _ACTIVATION[config.dense_activation]()]
    return [*layers, nn.Linear(widths[-1], 2)]
