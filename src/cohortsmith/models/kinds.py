"""Which module and which bound belong to each kind of generative model."""

from typing import Literal

from torch import Tensor

from cohortsmith.config.generator import BetaVAEConfig
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
from cohortsmith.models.rhvae import RHVAE
from cohortsmith.models.vae import VAE
from cohortsmith.models.vamp_vae import VampVAE

Phase = Literal["warm-up", "main"]
"""Models with a flow learn without it first."""

MODELS: dict[str, type[VAE]] = {
    "vae": VAE,
    "beta_vae": VAE,
    "vamp_vae": VampVAE,
    "hvae": HVAE,
    "rhvae": RHVAE,
}
WARMED_UP = ("hvae", "rhvae")


def bound_of(model: VAE, images: Tensor, noise: Noise, phase: Phase, step_scale: float = 1.0) -> Bound:
    """Bound log p(x) of images (B, D) as the model's kind does in this phase of its training.

    step_scale: of the flow's leapfrog step.
    """
    if isinstance(model, VampVAE):
        return vamp_bound(model, images, noise)
    if phase == "main" and isinstance(model, RHVAE):
        return rhvae_bound(model, images, noise, integrator_of(model, step_scale))
    if phase == "main" and isinstance(model, HVAE):
        return hvae_bound(model, images, noise, integrator_of(model, step_scale))
    return vae_bound(model, images, noise, model.config.beta if isinstance(model.config, BetaVAEConfig) else 1.0)
