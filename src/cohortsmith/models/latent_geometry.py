"""The geometries that a fitted model's latent space has."""

import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry
from cohortsmith.core.pullback_metric import pullback_geometry
from cohortsmith.models.fitted import FittedVAE, restore
from cohortsmith.models.r_vae import RVAE


def pullback_geometry_of(fitted: FittedVAE) -> Geometry:
    """Give the metric that the decoder pulls back from the images (Brownian prior 2020, eq. 2.5).

    A model whose variance does not depend on z has J_sigma = 0.
    """
    model = restore(fitted)
    if isinstance(model, RVAE):
        return model.geometry()

    def mean(z: Tensor) -> Tensor:
        images: Tensor = model.decoder(z).sigmoid()
        return images

    def deviation(z: Tensor) -> Tensor:
        return torch.zeros_like(z[:, :1])

    return pullback_geometry(fitted.config.latent_dim, mean, deviation)
