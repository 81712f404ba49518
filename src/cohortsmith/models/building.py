"""An untrained model, its weights drawn from one generator."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.config.generator import HVAEConfig, RHVAEConfig, VAEConfig
from cohortsmith.models.hvae import HVAE
from cohortsmith.models.kinds import MODELS
from cohortsmith.models.networks import initialise
from cohortsmith.models.r_vae import RVAE
from cohortsmith.models.rhvae import RHVAE
from cohortsmith.models.vae import VAE


class Appearance(NamedTuple):
    """What the training images look like together: mean image (*image_shape), root-mean-square deviation from it."""

    mean: Tensor
    contrast: float


def build_model(
    config: VAEConfig, image_shape: tuple[int, ...], generator: torch.Generator, appearance: Appearance
) -> VAE:
    """Build an untrained model whose weights are drawn from `generator` alone; it decodes to about the mean image."""
    with torch.device("meta"):
        model = MODELS[config.kind](config, image_shape)
    model.to_empty(device="cpu")
    initialise(model, generator)
    model.log_variance.data.fill_(math.log(config.likelihood_variance))
    mean = torch.as_tensor(appearance.mean).flatten()
    model.standardise.centre.copy_(mean)
    model.standardise.contrast.fill_(appearance.contrast)
    model.decoder.start_at(mean.clamp(0.01, 0.99).logit())
    if isinstance(model, (RHVAE, HVAE)) and isinstance(config, (RHVAEConfig, HVAEConfig)):
        model.flow.start_at({name: getattr(config, name) for name in config.learned})
    if isinstance(model, RVAE):
        model.start_empty()
    return model
