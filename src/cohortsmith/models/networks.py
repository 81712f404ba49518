"""The networks of the models: encoder, mirrored decoder, metric network; here the multi-layer perceptrons."""

import math
from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from cohortsmith.config.generator import NetworkConfig
from cohortsmith.models.matrix_product import product
from cohortsmith.models.shared_weight import SharedWeight, apply_shared
from cohortsmith.models.wide_linear import WideLinear

_ACTIVATIONS = {"relu": nn.ReLU, "elu": nn.ELU}
REFERENCE_VOXELS = 784  # of MNIST, for which the learning rate 1e-3 was published (thesis 1.8.3)


class Standardise(nn.Module):
    """Subtract the training set's mean image and scale deviations to a norm that does not depend on the voxels' number.

    Raw voxels are all positive and many: one learning step would move every hidden unit far and the same way, which
    the exponentials of log-variances and of the metric's diagonal turn into divergence.
    """

    centre: Tensor
    contrast: Tensor

    def __init__(self, n_voxels: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(n_voxels))
        self.register_buffer("contrast", torch.ones(()))
        self.scale = (REFERENCE_VOXELS / n_voxels) ** 0.5

    def forward(self, images: Tensor) -> Tensor:
        """Standardise (B, D) -> (B, D), of norm about sqrt(REFERENCE_VOXELS)."""
        standardised: Tensor = (images - self.centre) * (self.scale / self.contrast)
        return standardised


class Encoder(nn.Module):
    """q(z_0 | x) = N(mu(x), diag exp(log_variance(x))): images (B, D) -> mu (B, d), log_variance (B, d)."""

    def __init__(self, n_voxels: int, hidden: tuple[int, ...], latent_dim: int, activation: str = "relu") -> None:
        super().__init__()
        self.trunk = _trunk((n_voxels, *hidden), activation, reads_images=True)
        self.mean = nn.Linear((n_voxels, *hidden)[-1], latent_dim)
        self.log_variance = nn.Linear((n_voxels, *hidden)[-1], latent_dim)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode (B, D) -> mean and log-variance, both (B, d); they share all but the last layer."""
        features = self.trunk(images)
        return self.mean(features), self.log_variance(features)


class ImageDecoder(nn.Module, ABC):
    """Latents (B, d) -> logits (B, D), of any architecture."""

    @abstractmethod
    def start_at(self, logits: Tensor) -> None:
        """Start at an image (D,) of logits."""

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Give the logits of (B, d) -> (B, D), without a graph."""
        logits: Tensor = self(latents)
        return logits


class Decoder(ImageDecoder):
    """The encoder mirrored: latents (B, d) -> logits (B, D); their sigmoid is the image."""

    def __init__(self, latent_dim: int, hidden: tuple[int, ...], n_voxels: int, activation: str = "relu") -> None:
        super().__init__()
        widths = (latent_dim, *reversed(hidden))
        self.trunk = _trunk(widths, activation)
        self.logits = nn.Linear(widths[-1], n_voxels)

    def forward(self, latents: Tensor, wide: SharedWeight | None = None) -> Tensor:
        """Decode (B, d) -> logits (B, D); `wide` is the last layer's weight, shared by many calls of one bound."""
        features = self.trunk(latents)
        logits: Tensor = self.logits(features) if wide is None else apply_shared(wide, features) + self.logits.bias
        return logits

    def start_at(self, logits: Tensor) -> None:
        """Start at an image (D,) of logits."""
        self.logits.bias.data.copy_(logits)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Give the logits of (B, d) -> (B, D), without a graph."""
        return product(self.trunk(latents), self.logits.weight).add_(self.logits.bias)


class MetricNetwork(nn.Module):
    """m_psi: images (B, D) -> lower-triangular L (B, d, d) with positive diagonal (thesis 1.3.2)."""

    def __init__(self, n_voxels: int, hidden: tuple[int, ...], latent_dim: int) -> None:
        super().__init__()
        features = (n_voxels, *hidden)[-1]
        self.trunk = _trunk((n_voxels, *hidden), reads_images=True)
        self.log_diagonal = nn.Linear(features, latent_dim)
        self.strictly_lower = nn.Linear(features, latent_dim * (latent_dim - 1) // 2)

    def forward(self, images: Tensor) -> Tensor:
        """Give L (B, d, d); entries below the diagonal in the order of `torch.tril_indices(d, d, -1)`."""
        features = self.trunk(images)
        return lower_triangular(self.log_diagonal(features), self.strictly_lower(features))


def lower_triangular(log_diagonal: Tensor, strictly_lower: Tensor) -> Tensor:
    """Put (B, d) and (B, d (d - 1) / 2) together into L (B, d, d), the order being that of `torch.tril_indices`."""
    factors = torch.diag_embed(log_diagonal.exp())
    rows, columns = torch.tril_indices(factors.shape[1], factors.shape[2], offset=-1)
    factors[:, rows, columns] = strictly_lower
    return factors


def build_encoder(network: NetworkConfig, image_shape: tuple[int, ...], latent_dim: int) -> nn.Module:
    """Build images (B, D) -> mean, log_variance, both (B, d)."""
    if network.kind == "convolutional":
        from cohortsmith.models import convolutional  # noqa: PLC0415  MONAI takes seconds to import

        return convolutional.Encoder(network, image_shape, latent_dim)
    return Encoder(math.prod(image_shape), network.hidden, latent_dim, network.activation)


def build_decoder(network: NetworkConfig, latent_dim: int, image_shape: tuple[int, ...]) -> ImageDecoder:
    """Build latents (B, d) -> logits (B, D)."""
    if network.kind == "convolutional":
        from cohortsmith.models import convolutional  # noqa: PLC0415

        return convolutional.Decoder(network, latent_dim, image_shape)
    return Decoder(latent_dim, network.hidden, math.prod(image_shape), network.activation)


def build_metric_network(network: NetworkConfig, image_shape: tuple[int, ...], latent_dim: int) -> nn.Module:
    """Build images (B, D) -> lower-triangular L (B, d, d)."""
    if network.kind == "convolutional":
        from cohortsmith.models import convolutional  # noqa: PLC0415

        return convolutional.MetricNetwork(network, image_shape, latent_dim)
    return MetricNetwork(math.prod(image_shape), network.metric_hidden, latent_dim)


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw every linear and convolutional layer from `generator`: U(-b, b), b = 1 / sqrt(fan in).

    PyTorch's own law, but for transposed convolutions, whose fan in it takes to be that of the reverse direction.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, _ConvNd)):
            bound = _fan_in(layer) ** -0.5
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)


def _fan_in(layer: nn.Linear | _ConvNd) -> float:
    """Say from how many numbers each output of the layer is made, on average."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    seen = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    return seen / math.prod(layer.stride) if layer.transposed else seen


def _trunk(widths: tuple[int, ...], activation: str = "relu", *, reads_images: bool = False) -> nn.Sequential:
    kinds = [WideLinear if reads_images else nn.Linear, *[nn.Linear] * len(widths)]
    layers = [
        (linear(before, after), _ACTIVATIONS[activation]())
        for linear, (before, after) in zip(kinds, pairwise(widths), strict=False)
    ]
    return nn.Sequential(*(module for pair in layers for module in pair))
