"""Which module and which bound belong to each kind of generative model."""

from typing import Literal

import torch
from torch import Tensor

from cohortsmith.config.generator import BetaVAEConfig
from cohortsmith.models.batches import Images
from cohortsmith.models.brownian_objective import autoencoder_bound, r_vae_bound
from cohortsmith.models.hvae import HVAE
from cohortsmith.models.objective import (
    Bound,
    Noise,
    hvae_bound,
    integrator_of,
    rhvae_bound,
    vae_bound,
    vamp_bound,
)
from cohortsmith.models.r_vae import RVAE, begin_brownian
from cohortsmith.models.rhvae import RHVAE
from cohortsmith.models.vae import VAE
from cohortsmith.models.vamp_vae import VampVAE

Phase = Literal["warm-up", "main"]
"""Models with a flow learn without it first, and an R-VAE is an autoencoder first."""

MODELS: dict[str, type[VAE]] = {
    "vae": VAE,
    "beta_vae": VAE,
    "vamp_vae": VampVAE,
    "hvae": HVAE,
    "rhvae": RHVAE,
    "r_vae": RVAE,
}
WARMED_UP = ("hvae", "rhvae", "r_vae")


def enter_main(model: VAE, images: Images, batch_size: int, generator: torch.Generator) -> None:
    """Make what the main phase needs of all images (N, *shape), with the weights that the warm-up ended with."""
    if isinstance(model, RVAE):
        begin_brownian(model, images, batch_size, generator)


def bound_of(model: VAE, images: Tensor, noise: Noise, phase: Phase, step_scale: float = 1.0) -> Bound:
    """Bound log p(x) of images (B, D) as the model's kind does in this phase of its training.

    step_scale: of the flow's leapfrog step.
    """
    if isinstance(model, VampVAE):
        return vamp_bound(model, images, noise)
    if isinstance(model, RVAE):
        return r_vae_bound(model, images, noise) if phase == "main" else autoencoder_bound(model, images)
    if phase == "main" and isinstance(model, RHVAE):
        return rhvae_bound(model, images, noise, integrator_of(model, step_scale))
    if phase == "main" and isinstance(model, HVAE):
        return hvae_bound(model, images, noise, integrator_of(model, step_scale))
    return vae_bound(model, images, noise, model.config.beta if isinstance(model.config, BetaVAEConfig) else 1.0)
