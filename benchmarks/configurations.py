"""The networks and batches that the reference figures were measured on."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.config.generator import NetworkConfig, RHVAEConfig
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.rhvae import RHVAE

SEED = 0
METRIC_WIDTHS = (400,)


class Configuration(NamedTuple):
    """Voxels D, the encoder's widths between D and d = 10, images per batch."""

    n_voxels: int
    hidden: tuple[int, ...]
    batch: int


MNIST_100 = Configuration(784, (400,), 100)
MNIST_400 = Configuration(784, (400,), 400)
OASIS_2D = Configuration(36_608, (1000, 400), 70)
ADNI_SMALL = Configuration(98_280, (500, 500, 400), 25)  # 42 x 52 x 45
ADNI_PAPER = Configuration(777_504, (500, 500, 400), 25)  # 84 x 104 x 89


def settings(configuration: Configuration) -> RHVAEConfig:
    """Give d = 10, 3 leapfrogs of 1e-3, T = 1.5, lambda = 1e-2, sqrt(beta_0) = 0.3, Gaussian, variance 1."""
    network = NetworkConfig(hidden=configuration.hidden, metric_hidden=METRIC_WIDTHS)
    return RHVAEConfig(
        latent_dim=10,
        n_leapfrog=3,
        step_size=1e-3,
        fixed_point_iterations=3,
        temperature=1.5,
        regularization=1e-2,
        sqrt_beta_zero=0.3,
        likelihood="gaussian",
        likelihood_variance=1.0,
        network=network,
    )


def draw_images(configuration: Configuration) -> Tensor:
    """Draw images (batch, D) in [0, 1]: what is in them does not change how long a step takes."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.rand(configuration.batch, configuration.n_voxels, generator=generator)


def build(configuration: Configuration) -> RHVAE:
    """Build our untrained model."""
    generator = torch.Generator().manual_seed(SEED)
    appearance = Appearance(torch.full((configuration.n_voxels,), 0.5), 0.3)
    model = build_model(settings(configuration), (configuration.n_voxels,), generator, appearance)
    assert isinstance(model, RHVAE)
    return model
