"""pythae's models with the same networks, losses and latent metric as ours."""

from itertools import pairwise

import torch
from pythae.models import RHVAE, VAE, RHVAEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.samplers.manifold_sampler import RHVAESampler, RHVAESamplerConfig
from torch import Tensor, nn

from benchmarks.configurations import Configuration

LATENT = 10


class Encoder(BaseEncoder):
    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        widths = (configuration.n_voxels, *configuration.hidden)
        self.trunk = trunk(widths)
        self.mean, self.log_variance = nn.Linear(widths[-1], LATENT), nn.Linear(widths[-1], LATENT)

    def forward(self, x: Tensor) -> ModelOutput:
        features = self.trunk(x)
        return ModelOutput(embedding=self.mean(features), log_covariance=self.log_variance(features))


class Decoder(BaseDecoder):
    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        widths = (LATENT, *reversed(configuration.hidden))
        self.layers = nn.Sequential(trunk(widths), nn.Linear(widths[-1], configuration.n_voxels), nn.Sigmoid())

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z))


def trunk(widths: tuple[int, ...]) -> nn.Sequential:
    return nn.Sequential(*(nn.Sequential(nn.Linear(*pair), nn.ReLU()) for pair in pairwise(widths)))


def build_rhvae(configuration: Configuration) -> RHVAE:
    """Build pythae's RHVAE; its default metric network is D-400."""
    config = RHVAEConfig(
        input_dim=(configuration.n_voxels,),
        latent_dim=LATENT,
        n_lf=3,
        eps_lf=1e-3,
        beta_zero=0.3,
        temperature=1.5,
        regularization=1e-2,
    )
    torch.manual_seed(0)
    return RHVAE(config, encoder=Encoder(configuration), decoder=Decoder(configuration)).train()


def build_vae(configuration: Configuration) -> VAE:
    """Build pythae's plain VAE with the same networks."""
    torch.manual_seed(0)
    config = VAEConfig(input_dim=(configuration.n_voxels,), latent_dim=LATENT)
    return VAE(config, encoder=Encoder(configuration), decoder=Decoder(configuration)).train()


def build_sampler(
    centroids: Tensor, matrices: Tensor, temperature: float, regularization: float, **settings: float
) -> RHVAESampler:
    """Build pythae's latent sampler on a given metric: centroids (N, d), matrices M_i (N, d, d)."""
    config = RHVAEConfig(
        input_dim=(4,), latent_dim=centroids.shape[1], temperature=temperature, regularization=regularization
    )
    model = RHVAE(config)
    model.M.append(matrices)
    model.centroids.append(centroids)
    model.update()
    return RHVAESampler(model, RHVAESamplerConfig(**settings))
