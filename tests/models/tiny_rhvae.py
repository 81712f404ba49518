"""A tiny RHVAE and tiny images with two real directions of variation."""

import numpy as np
import torch

from cohortsmith.config.generator import NetworkConfig, RHVAEConfig, TrainingConfig
from cohortsmith.core.metric import MetricField
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.fitted import FittedVAE
from cohortsmith.models.objective import Noise
from cohortsmith.models.vae import Posterior

SHAPE = (4, 5, 3)
TINY = RHVAEConfig(
    latent_dim=2,
    step_size=0.005,
    temperature=1.0,
    likelihood_variance=0.05,
    network=NetworkConfig(hidden=(8, 6), metric_hidden=(5,)),
)
BRIEF = TrainingConfig(
    learning_rate=3e-3,
    batch_size=6,
    epochs=14,
    warm_up_epochs=6,
    learning_rate_ramp=4,
    max_rollbacks=3,
    maximum_residual=10,
)


def draw_images(n=11, seed=0, shape=SHAPE):
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(0, 1, side) for side in shape), indexing="ij")
    first, second = rng.uniform(0.1, 0.5, (2, n, *([1] * len(shape))))
    return (first * axes[0] + second * axes[1]).astype(np.float32)


def build_tiny(seed=0, **changes):
    appearance = Appearance(torch.full(SHAPE, 0.3), 0.2)
    config = TINY.model_copy(update=changes)
    return build_model(config, SHAPE, torch.Generator().manual_seed(seed), appearance).double()


def draw_batch(n=4, d=2, seed=1):
    generator = torch.Generator().manual_seed(seed)
    images = torch.from_numpy(draw_images(n)).double().flatten(1)
    latent, velocity = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return images, Noise(latent, velocity)


def draw_fitted(d=2, temperature=0.8, regularization=1e-2):
    """A model of which only the latent space is there."""
    centroids = torch.randn(9, d, generator=torch.Generator().manual_seed(0))
    return fitted_at(centroids, temperature, regularization)


def fitted_at(centroids, temperature=0.8, regularization=1e-2):
    n, d = centroids.shape
    field = MetricField(centroids, torch.eye(d).expand(n, d, d).contiguous(), temperature, regularization)
    codes = Posterior(centroids, torch.full_like(centroids, -2.0))
    return FittedVAE(TINY.model_copy(update={"latent_dim": d}), SHAPE, {}, codes, field, ())
