"""The variational autoencoder: what every generative model of this project is built on."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cohortsmith.config.generator import VAEConfig
from cohortsmith.models import image_likelihood
from cohortsmith.models.networks import Decoder, ImageDecoder, Standardise, build_decoder, build_encoder
from cohortsmith.models.shared_weight import SharedWeight, share


class Posterior(NamedTuple):
    """q(z_0 | x) = N(mean, diag exp(log_variance)): both (B, d)."""

    mean: Tensor
    log_variance: Tensor


class VAE(nn.Module):
    """Encoder, decoder and the Gaussian likelihood's log-variance per voxel."""

    log_variance: Tensor

    def __init__(self, config: VAEConfig, image_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        self.standardise = Standardise(math.prod(image_shape))
        self.encoder = build_encoder(config.network, image_shape, config.latent_dim)
        self.decoder: ImageDecoder = build_decoder(config.network, config.latent_dim, image_shape)
        self.closed_form = True  # likelihood and score, where the last layer is one matrix in full precision
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
        if isinstance(self.decoder, Decoder) and self.closed_form and not images.requires_grad:
            shared = share(self.decoder.logits.weight) if wide is None else wide
            features, bias = self.decoder.trunk(latents), self.decoder.logits.bias
            return image_likelihood.log_likelihood(
                features, shared, bias, images, self.log_variance, self.config.likelihood
            )
        logits = self.decoder(latents) if wide is None else self.decoder(latents, wide)
        if self.config.likelihood == "bernoulli":
            return -functional.binary_cross_entropy_with_logits(logits, images, reduction="none").sum(1)
        squared: Tensor = (images - logits.sigmoid()).square().sum(1)
        constant = 0.5 * images.shape[1] * (math.log(2 * math.pi) + self.log_variance)
        return -0.5 * squared * torch.exp(-self.log_variance) - constant
