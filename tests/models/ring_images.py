"""Images of one blob that goes round in a circle, and an R-VAE trained on them step by step."""

import math

import numpy as np
import torch

from cohortsmith.config.generator import NetworkConfig, RVAEConfig
from cohortsmith.models.batches import read_batch
from cohortsmith.models.building import build_model
from cohortsmith.models.kinds import bound_of, enter_main
from cohortsmith.models.objective import draw_noise
from cohortsmith.models.training import appearance

SHAPE = (7, 8)
RING = RVAEConfig(
    latent_dim=2,
    likelihood_variance=0.01,
    n_centres=20,
    curve_points=3,
    curve_steps=2,
    brownian_steps=10,
    network=NetworkConfig(hidden=(24, 24), activation="elu"),
)


def draw_ring(n=60, seed=0):
    angles = np.random.default_rng(seed).uniform(0, 2 * math.pi, n)
    rows, columns = np.meshgrid(np.linspace(-1, 1, SHAPE[0]), np.linspace(-1, 1, SHAPE[1]), indexing="ij")
    centre = 0.6 * np.stack([np.cos(angles), np.sin(angles)])[:, :, None, None]
    return np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / 0.3).astype(np.float32)


def learn(model, images, phase, n_steps, generator, rate=5e-3):
    """Take Adam steps on all images at once; gives the bound per image before each."""
    batch = read_batch(images, np.arange(len(images)))
    optimizer, bounds = torch.optim.Adam(model.parameters(), lr=rate), []
    for _ in range(n_steps):
        noise = draw_noise((len(batch), model.config.latent_dim), generator)
        loss = -bound_of(model, batch, noise, phase).elbo.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bounds.append(-loss.item())
    return bounds


def train_ring(config=RING, warm_up=150, main=15, seed=0):
    """Give the trained model, its images, and the bounds of both phases."""
    images, generator = draw_ring(), torch.Generator().manual_seed(seed)
    model = build_model(config, SHAPE, generator, appearance(images, 100))
    first = learn(model, images, "warm-up", warm_up, generator)
    enter_main(model, images, 16, generator)
    return model, images, first, learn(model, images, "main", main, generator, 5e-3)
