"""The networks that tell patients from controls: images (B, 1, *shape) -> two logits (B, 2), the control's first."""

from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from cohortsmith.config.classifier import (
    Activation,
    ClassifierConfig,
    DenseNetConfig,
    MLPConfig,
    NeuralNetworkConfig,
)
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.classifier_architectures import Architecture, architecture_of, feature_sides
from cohortsmith.models.classifier_convolution import convolve_and_pool, pool_convolution, zero_planes_take_part
from cohortsmith.models.classifier_layout import CONVOLVE, Layout, convolved_sides

_CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_ACTIVATION: dict[Activation, type[nn.Module]] = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU}


class ConvolutionLayer(nn.Module):
    """Convolution of side 3, batch norm, activation: (B, K, *shape) -> (B, C, *convolved)."""

    def __init__(self, dimension: int, widths: tuple[int, int], layout: Layout, activation: Activation) -> None:
        super().__init__()
        self.layout = layout
        self.convolution = _CONVOLUTION[dimension](*widths, 3, stride=layout.stride, padding=layout.padding)
        self.norm: Any = _NORM[dimension](widths[1])  # PyTorch types its moments as if they could be missing
        self.activation = _ACTIVATION[activation]()

    def forward(self, images: Tensor) -> Tensor:
        """Apply the layer."""
        if self.training:
            given: Tensor = self.activation(self.norm(self.convolution(images)))
            return given
        weight, bias = self.folded()
        convolve = CONVOLVE[images.ndim - 2]
        stride, padding = self.layout.stride, self.layout.padding
        result: Tensor = self.activation(convolve(images, weight, bias, stride=stride, padding=padding))
        return result

    def folded(self) -> tuple[Tensor, Tensor]:
        """Fold the running moments into the convolution: weight (C, K, 3, ...) and bias (C,)."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        scale = self.norm.weight * (variance + self.norm.eps).rsqrt()
        bias: Tensor = (self.convolution.bias - mean) * scale + self.norm.bias
        return self.convolution.weight * _over_channels(scale, self.convolution.weight, 0), bias


class PooledLayer(ConvolutionLayer):
    """A convolution layer and max pooling by 2, computed as one: (B, K, *shape) -> (B, C, *halved)."""

    def forward(self, images: Tensor) -> Tensor:
        """Apply the layer."""
        raw = self._normalised(images) if self.training else self._evaluated(images)
        result: Tensor = self.activation(raw)
        if isinstance(self.activation, nn.LeakyReLU):  # ReLU gives nothing below the planes' zero
            return zero_planes_take_part(result, tuple(images.shape[2:]), self.layout)
        return result

    def _normalised(self, images: Tensor) -> Tensor:
        # With the signs in the weights the norm's scale is positive: maxima stay maxima
        sign = torch.where(self.norm.weight < 0, -1.0, 1.0).to(self.norm.weight.dtype)
        weight = self.convolution.weight * _over_channels(sign, self.convolution.weight, 0)
        pooled = convolve_and_pool(images, weight, self.layout)
        scale = self.norm.weight * sign * (pooled.variance + self.norm.eps).rsqrt()
        shift = self.norm.bias - pooled.mean * scale
        self._remember(sign * pooled.mean, pooled.variance, images)
        spread = [_over_channels(value, pooled.maxima, 1) for value in (shift, scale)]
        return torch.addcmul(spread[0], pooled.maxima, spread[1])

    def _evaluated(self, images: Tensor) -> Tensor:
        weight, bias = self.folded()
        pooled = pool_convolution(images, weight, self.layout)
        return pooled + _over_channels(bias, pooled, 1)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, images: Tensor) -> None:
        """Move the running moments as batch norm does; the variance that it remembers is the unbiased one."""
        norm = self.norm
        count = len(images) * prod(convolved_sides(tuple(images.shape[2:]), self.layout))
        norm.num_batches_tracked += 1
        bias: Any = self.convolution.bias
        norm.running_mean.lerp_(mean + bias, norm.momentum)
        norm.running_var.lerp_(variance * (count / max(count - 1, 1)), norm.momentum)


class Classifier(nn.Module):
    """Features, dropout, dense layers; the dropout draws from a generator that is passed."""

    def __init__(self, features: nn.Module, head: nn.Module, dropout: float) -> None:
        super().__init__()
        self.features, self.head, self.dropout = features, head, dropout

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Score (B, 1, *shape) -> logits (B, 2); dropout draws from `generator`, in training mode only."""
        features: Tensor = self.features(images)
        if self.training and self.dropout > 0:
            kept = torch.rand(features.shape, generator=generator) >= self.dropout
            features = features * kept / (1 - self.dropout)
        logits: Tensor = self.head(features)
        return logits


def build_classifier(config: NeuralNetworkConfig, shape: tuple[int, ...], generator: torch.Generator) -> Classifier:
    """Build the network for 2-D or 3-D images of `shape`, its weights drawn from `generator` alone.

    PyTorch's default law, U(-b, b) with b = 1 / sqrt(fan in) for weights and biases (He et al. 2015 with
    slope sqrt(5)), drawn here because PyTorch itself would draw it from the global generator.

    Raises:
        ConfigurationError: `shape` is neither 2-D nor 3-D, or the blocks halve it to nothing.
    """
    with torch.device("meta"):
        network = lay_out(config, shape)
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
    """Count the features that a convolutional classifier hands to its dense layers, for images of `shape`.

    Raises:
        ConfigurationError: not convolutional, `shape` is neither 2-D nor 3-D, or the blocks halve it to nothing.
    """
    architecture = architecture_of(config)
    if architecture is None:
        raise _no_network(config)
    return architecture.blocks[-1][-1] * prod(feature_sides(architecture, shape))


def lay_out(config: ClassifierConfig, shape: tuple[int, ...]) -> Classifier:
    """Lay out the layers for images of `shape`, their weights as PyTorch leaves them.

    Raises:
        ConfigurationError: not a network, or one that does not fit the images.
    """
    architecture = architecture_of(config)
    if architecture is not None:
        return _convolutional(architecture, shape)
    if isinstance(config, MLPConfig):
        head = _dense((prod(shape), *config.hidden), config.activation)
        return Classifier(nn.Flatten(), head, config.dropout)
    if isinstance(config, DenseNetConfig):
        return _densely_connected(config, shape)
    raise _no_network(config)


def _convolutional(architecture: Architecture, shape: tuple[int, ...]) -> Classifier:
    n_features = architecture.blocks[-1][-1] * prod(feature_sides(architecture, shape))
    layers: list[nn.Module] = []
    width, dimension = 1, len(shape)
    for block, layout in zip(architecture.blocks, architecture.layouts, strict=True):
        for before, after in pairwise((width, *block[:-1])):
            same = layout._replace(stride=1)
            layers.append(ConvolutionLayer(dimension, (before, after), same, architecture.activation))
            width = after
        layers.append(PooledLayer(dimension, (width, block[-1]), layout, architecture.activation))
        width = block[-1]
    head = _dense((n_features, *architecture.dense), architecture.dense_activation)
    return Classifier(nn.Sequential(*layers, nn.Flatten()), head, architecture.dropout)


def _densely_connected(config: DenseNetConfig, shape: tuple[int, ...]) -> Classifier:
    from monai.networks.nets import DenseNet  # noqa: PLC0415  MONAI takes seconds to import

    network = DenseNet(
        spatial_dims=len(shape),
        in_channels=1,
        out_channels=2,
        init_features=config.first_channels,
        growth_rate=config.growth,
        block_config=config.layers,
    )
    return Classifier(network, nn.Identity(), 0.0)


def _dense(widths: tuple[int, ...], activation: Activation) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), _ACTIVATION[activation]()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 2))


def _over_channels(values: Tensor, like: Tensor, axis: int) -> Tensor:
    return values.reshape([-1 if place == axis else 1 for place in range(like.ndim)])


def _no_network(config: ClassifierConfig) -> ConfigurationError:
    return ConfigurationError("this kind of classifier has no such layers", where="classifier.kind", got=config.kind)
