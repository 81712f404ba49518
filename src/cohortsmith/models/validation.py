"""The ELBO of images that a model does not learn from."""

import numpy as np
import torch
from torch import Tensor

from cohortsmith.core import riemannian
from cohortsmith.core.metric import MetricKernels, expand
from cohortsmith.models.batches import Images, read_batch, split_batches
from cohortsmith.models.computing import device_of, move_noise
from cohortsmith.models.encoding import metric_field
from cohortsmith.models.kinds import Phase, bound_of
from cohortsmith.models.objective import Noise, draw, draw_noise, integrator_of, joint, log_weight
from cohortsmith.models.rhvae import RHVAE
from cohortsmith.models.vae import VAE

STREAM = 1  # of the seed's streams of random numbers; training uses the seed itself


@torch.no_grad()
def validation_elbo(
    model: VAE, images: Images, training_images: Images, batch_size: int, seed: int, phase: Phase, step_scale: float
) -> float:
    """Give the mean ELBO of images (N, *shape) under the model's present weights, in nats, one draw per image.

    An RHVAE's metric is that of all its training images, as it will be for any new image; with a batch's own images
    as centroids, each would help to explain itself. The noise is the same at every call, so that calls compare.
    """
    generator = torch.Generator().manual_seed(_seed_of_stream(seed))
    kernels = None
    if phase == "main" and isinstance(model, RHVAE):
        kernels = expand(metric_field(model, training_images, batch_size))
    sums = []
    for rows in split_batches(len(images), batch_size):
        noise = move_noise(draw_noise((len(rows), model.config.latent_dim), generator), device_of(model))
        batch = read_batch(images, rows).to(device_of(model))
        elbo = (
            bound_of(model, batch, noise, phase, step_scale).elbo
            if kernels is None or not isinstance(model, RHVAE)
            else _elbo_under(kernels, model, batch, noise, step_scale)
        )
        sums.append(elbo.sum().item())
    return sum(sums) / len(images)


def _elbo_under(kernels: MetricKernels, model: RHVAE, images: Tensor, noise: Noise, step_scale: float) -> Tensor:
    posterior = model.posterior(images)
    start = draw(posterior, noise.latent)
    ended = riemannian.flow(kernels, joint(model, images), start, noise.velocity, integrator_of(model, step_scale))
    return log_weight(ended, posterior, noise.latent)


def _seed_of_stream(seed: int) -> int:
    return int(np.random.SeedSequence([seed, STREAM]).generate_state(1, np.uint64)[0] >> 1)
