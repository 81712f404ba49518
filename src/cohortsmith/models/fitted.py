"""A trained model as the plain value that training leaves behind, and what can be asked of it."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cohortsmith.config.generator import VAEConfig
from cohortsmith.core.metric import MetricField
from cohortsmith.models.kinds import MODELS
from cohortsmith.models.vae import VAE, Posterior


class EpochRecord(NamedTuple):
    """One epoch, means over the images, in nats.

    reconstruction: log p(x | z_K). kl: of q(z_0 | x) to the prior. step_residual: of the flow's fixed points, and
    flow_shift: |z_K - z_0|, both latent units and 0 in the warm-up. rollback: why the epoch was begun again.
    validation_elbo: of images that are only looked at, under the weights that the epoch began with.
    """

    epoch: int
    elbo: float
    reconstruction: float
    kl: float
    step_residual: float
    flow_shift: float
    rollback: str
    validation_elbo: float | None = None


class FittedVAE(NamedTuple):
    """A trained model of any kind: plain values only.

    config: as trained, its step_size after rollbacks. image_shape: (X, Y) or (X, Y, Z). state: the module's tensors.
    codes: the posteriors of all training images, means and log-variances (N, d). field: the learned metric of the
    training images, of an RHVAE only.
    """

    config: VAEConfig
    image_shape: tuple[int, ...]
    state: dict[str, Tensor]
    codes: Posterior
    field: MetricField | None
    history: tuple[EpochRecord, ...]


def restore(fitted: FittedVAE) -> VAE:
    """Give the module back, on the fitted tensors themselves (no copy)."""
    with torch.device("meta"):
        model = MODELS[fitted.config.kind](fitted.config, fitted.image_shape)
    model.load_state_dict(fitted.state, assign=True)
    return model.requires_grad_(False)


@torch.no_grad()
def decode(fitted: FittedVAE, latents: Tensor) -> Tensor:
    """Decode latents (n, d) into images (n, *image_shape) in [0, 1]."""
    images: Tensor = restore(fitted).decoder(latents).sigmoid()
    return images.reshape(-1, *fitted.image_shape)


@torch.no_grad()
def encode(fitted: FittedVAE, images: NDArray[np.float32] | Tensor) -> Tensor:
    """Encode images (n, *image_shape) into the means (n, d) of their posterior."""
    return restore(fitted).posterior(torch.as_tensor(images).flatten(1)).mean


def reconstruct(fitted: FittedVAE, images: NDArray[np.float32] | Tensor) -> Tensor:
    """Decode the posterior mean of each image: (n, *image_shape) -> (n, *image_shape)."""
    return decode(fitted, encode(fitted, images))
