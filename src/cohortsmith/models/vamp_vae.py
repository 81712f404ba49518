"""The VAE with a variational mixture of posteriors as its prior."""

import math

import torch
from torch import Tensor, nn

from cohortsmith.config.generator import VampVAEConfig
from cohortsmith.models.vae import VAE, Posterior


class VampVAE(VAE):
    """Encoder, decoder and K learned pseudo-inputs (K, D) (Tomczak & Welling 2018, eq. 9)."""

    config: VampVAEConfig

    def __init__(self, config: VampVAEConfig, image_shape: tuple[int, ...]) -> None:
        super().__init__(config, image_shape)
        self.pseudo_inputs = nn.Parameter(torch.empty(config.n_pseudo_inputs, math.prod(image_shape)))

    def start_at(self, images: Tensor) -> None:
        """Start the pseudo-inputs at images (K, D)."""
        self.pseudo_inputs.data.copy_(images)

    def components(self) -> Posterior:
        """Give the prior's components q(z | u_k), both (K, d); pseudo-inputs are held to [0, 1]."""
        return self.posterior(self.pseudo_inputs.clamp(0, 1))

    def log_prior(self, z: Tensor) -> Tensor:
        """Give log p(z) = log 1/K sum_k q(z | u_k): (B, d) -> (B,)."""
        mean, log_variance = (parameter.unsqueeze(0) for parameter in self.components())
        squared = (z.unsqueeze(1) - mean).square() * torch.exp(-log_variance)
        each = -0.5 * (squared + log_variance + math.log(2 * math.pi)).sum(2)
        return torch.logsumexp(each, dim=1) - math.log(self.config.n_pseudo_inputs)
