"""The Riemannian Hamiltonian VAE as a module, and as the plain value that training leaves behind."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cohortsmith.config.generator import RHVAEConfig
from cohortsmith.core.metric import MetricField
from cohortsmith.models.networks import Decoder, Encoder, MetricNetwork, Standardise, initialise
from cohortsmith.models.shared_weight import SharedWeight


class EpochRecord(NamedTuple):
    """One epoch, means over the images, in nats.

    reconstruction: log p(x | z_K). kl: of q(z_0 | x) to the prior. step_residual: of the flow's fixed points, and
    flow_shift: |z_K - z_0|, both latent units and 0 in the warm-up. rollback: why the epoch was begun again.
    """

    epoch: int
    elbo: float
    reconstruction: float
    kl: float
    step_residual: float
    flow_shift: float
    rollback: str


class FittedRHVAE(NamedTuple):
    """A trained RHVAE: plain values only.

    config: as trained, its step_size after rollbacks. image_shape: (X, Y) or (X, Y, Z). state: the module's tensors.
    field: the metric of all training images.
    """

    config: RHVAEConfig
    image_shape: tuple[int, ...]
    state: dict[str, Tensor]
    field: MetricField
    history: tuple[EpochRecord, ...]


class Appearance(NamedTuple):
    """What the training images look like together: mean image (*image_shape), root-mean-square deviation from it."""

    mean: Tensor
    contrast: float


class Posterior(NamedTuple):
    """q(z_0 | x) = N(mean, diag exp(log_variance)): both (B, d)."""

    mean: Tensor
    log_variance: Tensor


class RHVAE(nn.Module):
    """Encoder, decoder, metric network and the Gaussian likelihood's log-variance per voxel."""

    log_variance: Tensor

    def __init__(self, config: RHVAEConfig, n_voxels: int) -> None:
        super().__init__()
        self.config = config
        widths, d = config.network, config.latent_dim
        self.standardise = Standardise(n_voxels)
        self.encoder = Encoder(n_voxels, widths.hidden, d)
        self.decoder = Decoder(d, widths.hidden, n_voxels)
        self.metric = MetricNetwork(n_voxels, widths.metric_hidden, d)
        learned = config.learned_variance and config.likelihood == "gaussian"
        self.log_variance = nn.Parameter(torch.empty(()), requires_grad=learned)

    def posterior(self, images: Tensor) -> Posterior:
        """Encode images (B, D) into q(z_0 | x)."""
        return Posterior(*self.encoder(self.standardise(images)))

    def log_likelihood(self, latents: Tensor, images: Tensor, wide: SharedWeight | None = None) -> Tensor:
        """Give log p(x | z): (B, d), (B, D) -> (B,), summed over voxels, never averaged.

        Gaussian: -|x - mu|^2 / (2 var) - D/2 log(2 pi var), mu the decoded image, var per voxel. The smaller var,
        the more a voxel's error weighs against the KL to the prior.
        """
        logits = self.decoder(latents, wide)
        if self.config.likelihood == "bernoulli":
            return -functional.binary_cross_entropy_with_logits(logits, images, reduction="none").sum(1)
        squared: Tensor = (images - logits.sigmoid()).square().sum(1)
        constant = 0.5 * images.shape[1] * (math.log(2 * math.pi) + self.log_variance)
        return -0.5 * squared * torch.exp(-self.log_variance) - constant

    def field(self, images: Tensor) -> MetricField:
        """Give the metric whose centroids are the posterior means of these images (N, D)."""
        return self.field_at(self.posterior(images).mean, images)

    def field_at(self, means: Tensor, images: Tensor) -> MetricField:
        """Give the metric with centroids `means` (N, d), already encoded, and factors of `images` (N, D)."""
        factors = self.metric(self.standardise(images))
        return MetricField(means, factors, self.config.temperature, self.config.regularization)


def build_rhvae(
    config: RHVAEConfig,
    image_shape: tuple[int, ...],
    generator: torch.Generator,
    appearance: Appearance,
) -> RHVAE:
    """Build an untrained RHVAE whose weights are drawn from `generator` alone; it decodes to about the mean image."""
    with torch.device("meta"):
        model = RHVAE(config, math.prod(image_shape))
    model.to_empty(device="cpu")
    initialise(model, generator)
    model.log_variance.data.fill_(math.log(config.likelihood_variance))
    model.standardise.centre.copy_(torch.as_tensor(appearance.mean).flatten())
    model.standardise.contrast.fill_(appearance.contrast)
    model.decoder.logits.bias.data.copy_(model.standardise.centre.clamp(0.01, 0.99).logit())
    return model


def restore(fitted: FittedRHVAE) -> RHVAE:
    """Give the module back, on the fitted tensors themselves (no copy)."""
    with torch.device("meta"):
        model = RHVAE(fitted.config, math.prod(fitted.image_shape))
    model.load_state_dict(fitted.state, assign=True)
    return model.requires_grad_(False)


@torch.no_grad()
def decode(fitted: FittedRHVAE, latents: Tensor) -> Tensor:
    """Decode latents (n, d) into images (n, *image_shape) in [0, 1]."""
    images: Tensor = restore(fitted).decoder(latents).sigmoid()
    return images.reshape(-1, *fitted.image_shape)


@torch.no_grad()
def encode(fitted: FittedRHVAE, images: NDArray[np.float32] | Tensor) -> Tensor:
    """Encode images (n, *image_shape) into the means (n, d) of their posterior."""
    return restore(fitted).posterior(torch.as_tensor(images).flatten(1)).mean


def reconstruct(fitted: FittedRHVAE, images: NDArray[np.float32] | Tensor) -> Tensor:
    """Decode the posterior mean of each image: (n, *image_shape) -> (n, *image_shape)."""
    return decode(fitted, encode(fitted, images))
