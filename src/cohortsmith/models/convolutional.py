"""The networks of the models as residual convolutions, for images with two or three axes.

Features are normalised over all channels and voxels of one image, never over the batch: an image's bound may depend
on its neighbours only through the metric.
"""

import math
from itertools import pairwise

import torch
from monai.networks.blocks.convolutions import Convolution, ResidualUnit
from torch import Tensor, nn

from cohortsmith.config.generator import NetworkConfig
from cohortsmith.models.networks import REFERENCE_VOXELS, ImageDecoder, lower_triangular

Shape = tuple[int, ...]
QUIET = 0.1  # of the last layer's usual weights at the start, which is then close to the image it starts at
PER_IMAGE = ("group", {"num_groups": 1, "affine": False})


class Trunk(nn.Module):
    """Images (B, D) -> features (B, F), by one residual unit of stride 2 per number of channels."""

    def __init__(self, image_shape: Shape, channels: tuple[int, ...], activation: str) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.units = nn.Sequential(
            *(_residual(len(image_shape), *pair, activation, stride=2) for pair in pairwise((1, *channels)))
        )
        self.n_features = channels[-1] * math.prod(halved(image_shape, len(channels))[-1])

    def forward(self, images: Tensor) -> Tensor:
        """Give the features (B, F) of standardised images (B, D), of a norm that does not depend on F."""
        # A kernel sees few voxels: it needs them of unit deviation. The layer after sees all features, so theirs is
        # the scale that standardised images have.
        voxels = images * (images.shape[1] / REFERENCE_VOXELS) ** 0.5
        features: Tensor = self.units(voxels.reshape(-1, 1, *self.image_shape)).flatten(1)
        scale: float = (REFERENCE_VOXELS / self.n_features) ** 0.5
        return features * scale


class Encoder(nn.Module):
    """q(z_0 | x) = N(mu(x), diag exp(log_variance(x))): images (B, D) -> mu (B, d), log_variance (B, d)."""

    def __init__(self, network: NetworkConfig, image_shape: Shape, latent_dim: int) -> None:
        super().__init__()
        self.trunk = Trunk(image_shape, network.channels, network.activation)
        self.mean = nn.Linear(self.trunk.n_features, latent_dim)
        self.log_variance = nn.Linear(self.trunk.n_features, latent_dim)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode (B, D) -> mean and log-variance, both (B, d); they share all but the last layer."""
        features = self.trunk(images)
        return self.mean(features), self.log_variance(features)


class Decoder(ImageDecoder):
    """The encoder mirrored, plus one learned logit per voxel: latents (B, d) -> logits (B, D)."""

    def __init__(self, network: NetworkConfig, latent_dim: int, image_shape: Shape) -> None:
        super().__init__()
        channels, shapes = network.channels, halved(image_shape, len(network.channels))
        self.start_shape = (channels[-1], *shapes[-1])
        self.start = nn.Linear(latent_dim, math.prod(self.start_shape))
        steps = zip(pairwise(reversed(channels)), pairwise(reversed(shapes)), strict=False)
        self.units = nn.Sequential(*(_enlarging(*step, network.activation) for step in steps))
        self.image = _doubling((channels[0], 1), (shapes[1], shapes[0]), bias=False)
        self.voxels = nn.Parameter(torch.empty(math.prod(image_shape)))

    def forward(self, latents: Tensor) -> Tensor:
        """Decode (B, d) -> logits (B, D)."""
        features = self.start(latents).reshape(-1, *self.start_shape)
        logits: Tensor = self.image(self.units(features)).flatten(1) + self.voxels
        return logits

    def start_at(self, logits: Tensor) -> None:
        """Start at an image (D,) of logits, right after the weights have been drawn."""
        self.voxels.data.copy_(logits)
        for weight in self.image.parameters():
            weight.data.mul_(QUIET)


class MetricNetwork(nn.Module):
    """m_psi: images (B, D) -> lower-triangular L (B, d, d) with positive diagonal (thesis 1.3.2)."""

    def __init__(self, network: NetworkConfig, image_shape: Shape, latent_dim: int) -> None:
        super().__init__()
        self.trunk = Trunk(image_shape, network.metric_channels, network.activation)
        self.log_diagonal = nn.Linear(self.trunk.n_features, latent_dim)
        self.strictly_lower = nn.Linear(self.trunk.n_features, latent_dim * (latent_dim - 1) // 2)

    def forward(self, images: Tensor) -> Tensor:
        """Give L (B, d, d), as the multi-layer perceptron does."""
        features = self.trunk(images)
        return lower_triangular(self.log_diagonal(features), self.strictly_lower(features))


def halved(image_shape: Shape, times: int) -> list[Shape]:
    """Give the shapes that an image takes when it is halved so many times, its own first; halves are rounded up."""
    shapes = [image_shape]
    for _ in range(times):
        shapes.append(tuple((side + 1) // 2 for side in shapes[-1]))
    return shapes


def _residual(n_axes: int, before: int, after: int, activation: str, stride: int = 1) -> nn.Module:
    unit: nn.Module = ResidualUnit(n_axes, before, after, strides=stride, act=activation, norm=PER_IMAGE)
    return unit


def _enlarging(channels: tuple[int, int], shapes: tuple[Shape, Shape], activation: str) -> nn.Module:
    unit = _residual(len(shapes[0]), channels[1], channels[1], activation)
    return nn.Sequential(_doubling(channels, shapes, activation), unit)


def _doubling(
    channels: tuple[int, int], shapes: tuple[Shape, Shape], activation: str | None = None, bias: bool = True
) -> nn.Module:
    """Enlarge from the first shape to the second, twice as large or one voxel less, exactly."""
    missing = tuple(side - (2 * half - 1) for half, side in zip(*shapes, strict=True))
    layer: nn.Module = Convolution(
        len(shapes[0]),
        *channels,
        strides=2,
        act=activation,
        norm=None,
        bias=bias,
        is_transposed=True,
        output_padding=missing,
    )
    return layer
