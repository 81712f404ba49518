"""The convolutional classifiers as data: the published ones, and those that the configuration spells out.

Sources: Chadebec et al. (TPAMI 2022) and ClinicaDL (3-D networks); Chadebec's thesis (2023), table 2.6 (slices).
"""

from typing import NamedTuple

from cohortsmith.config.classifier import (
    Activation,
    ClassifierConfig,
    CNN2DConfig,
    Conv5FC3Config,
    Conv5FC3DownConfig,
    CustomConfig,
    OptimizedConfig,
)
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.classifier_layout import Layout, pooled_sides

FIVE_BLOCKS = ((8,), (16,), (32,), (64,), (128,))


class Architecture(NamedTuple):
    """Blocks of convolutions of side 3, each block ending in max pooling by 2, then dense layers.

    blocks: channels of each convolution in each block. strides: of each block's last convolution.
    dense: widths between the features and the two logits; dropout comes before the first of them.
    """

    blocks: tuple[tuple[int, ...], ...]
    dense: tuple[int, ...]
    dropout: float
    activation: Activation
    dense_activation: Activation
    strides: tuple[int, ...]
    padding: int = 1
    rounds_up: bool = True

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Lay out the last convolution and the pooling of each block."""
        return tuple(Layout(stride, self.padding, self.rounds_up) for stride in self.strides)


def architecture_of(config: ClassifierConfig) -> Architecture | None:
    """Give the layers of a convolutional classifier; None for every other kind."""
    match config:
        case Conv5FC3Config():
            return _three_dimensional(config, FIVE_BLOCKS, (1300, 50))
        case Conv5FC3DownConfig():
            return _three_dimensional(config, FIVE_BLOCKS, (350, 25))
        case OptimizedConfig():
            return _three_dimensional(config, ((5,), (10,), (10, 10, config.third_block), (40,), (80,), (160,)), ())
        case CNN2DConfig():
            blocks = ((8,), (16,), (32,), (64,))
            return _spelled_out(config, blocks, (100,), (1, 1, 2, 2))
        case CustomConfig():
            strides = config.strides or (1,) * len(config.channels)
            return _spelled_out(config, _custom_blocks(config), config.dense, strides)
    return None


def feature_sides(architecture: Architecture, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give the sides of the last block's output for images of `shape`.

    Raises:
        ConfigurationError: `shape` is neither 2-D nor 3-D, or the blocks halve it to nothing.
    """
    sides = shape
    for block, layout in zip(architecture.blocks, architecture.layouts, strict=True):
        shrunk = 2 * (1 - layout.padding) * (len(block) - 1)  # without padding, each convolution costs two voxels
        sides = pooled_sides(tuple(side - shrunk for side in sides), layout)
    if len(shape) not in (2, 3) or min(sides) < 1:
        raise ConfigurationError(
            "the classifier does not fit the images",
            where="parameters.classifier",
            got=f"images of shape {shape}, {len(architecture.blocks)} blocks",
            expected="2-D or 3-D images that are still at least 1 pixel wide after the last block",
            remedy="choose another kind, fewer blocks, strides of 1, or padded_pooling: true",
        )
    return sides


def _three_dimensional(
    config: Conv5FC3Config | Conv5FC3DownConfig | OptimizedConfig,
    blocks: tuple[tuple[int, ...], ...],
    dense: tuple[int, ...],
) -> Architecture:
    ones = (1,) * len(blocks)
    return Architecture(blocks, dense, config.dropout, config.activation, config.activation, ones)


def _spelled_out(
    config: CNN2DConfig | CustomConfig,
    blocks: tuple[tuple[int, ...], ...],
    dense: tuple[int, ...],
    strides: tuple[int, ...],
) -> Architecture:
    return Architecture(
        blocks,
        dense,
        config.dropout,
        config.activation,
        config.dense_activation,
        strides,
        config.convolution_padding,
        config.padded_pooling,
    )


def _custom_blocks(config: CustomConfig) -> tuple[tuple[int, ...], ...]:
    given = (1, *config.channels[:-1])
    counts = config.convolutions or (1,) * len(config.channels)
    return tuple(
        (before,) * (count - 1) + (after,) for before, after, count in zip(given, config.channels, counts, strict=True)
    )
