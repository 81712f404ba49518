"""Fit a model: a plain VAE first where it has a flow, then by its own bound until the smoothed ELBO has settled."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cohortsmith.config.generator import HVAEConfig, RHVAEConfig, TrainingConfig, VAEConfig
from cohortsmith.core.metric import MetricField
from cohortsmith.errors import StudyError
from cohortsmith.models.batches import Images, read_batch, split_batches
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.fitted import EpochRecord, FittedVAE
from cohortsmith.models.hvae import HVAE
from cohortsmith.models.kinds import WARMED_UP
from cohortsmith.models.learner import Unsolved, begin, begin_main, learn_epoch
from cohortsmith.models.rhvae import RHVAE
from cohortsmith.models.vae import VAE, Posterior
from cohortsmith.models.vamp_vae import VampVAE

FLAT = 1e-6  # contrast of images that are all the same, which may be divided by


def fit_vae(
    images: Images,
    config: VAEConfig,
    training: TrainingConfig,
    seed: int,
    on_epoch: Callable[[int, float], None] | None = None,
) -> FittedVAE:
    """Fit a model to images (N, *shape) of one diagnosis; the same seed gives the same fit.

    Keeps the weights of the best smoothed ELBO after the warm-up, and computes all N codes and factors with them.
    Stops there too when the flow, after `training.max_rollbacks` rollbacks, has again grown past what can be solved.
    on_epoch: told (epoch, elbo) after each epoch.

    Raises:
        StudyError: fewer than two images, or voxels outside [0, 1].
        TrainingError: diverged more than `training.max_rollbacks` times.
    """
    _check(images, training.batch_size)
    generator = torch.Generator().manual_seed(seed)
    model = build_model(config, images.shape[1:], generator, appearance(images, training.batch_size))
    if isinstance(model, VampVAE):
        model.start_at(_draw_images(images, model.config.n_pseudo_inputs, generator))
    learner = begin(model, training.learning_rate)
    warm_up_epochs = training.warm_up_epochs if config.kind in WARMED_UP else 0
    history: list[EpochRecord] = []
    for epoch in range(training.epochs):
        if epoch == warm_up_epochs:
            begin_main(learner)
        try:
            history.append(learn_epoch(learner, images, training, epoch, generator))
        except Unsolved as cause:
            history[-1] = history[-1]._replace(rollback=f"stopped after this epoch: {cause}")
            break
        if on_epoch is not None:
            on_epoch(epoch, history[-1].elbo)
        if learner.phase == "main" and learner.stale >= training.patience:
            break
    model.load_state_dict(learner.kept)
    field = metric_field(model, images, training.batch_size, seed) if isinstance(model, RHVAE) else None
    return FittedVAE(
        _as_trained(model, learner.kept_scale),
        images.shape[1:],
        learner.kept,
        encode_all(model, images, training.batch_size),
        field,
        tuple(history),
    )


@torch.no_grad()
def encode_all(model: VAE, images: Images, batch_size: int) -> Posterior:
    """Give the posteriors of all images (N, *shape) under the model's present weights."""
    parts = [model.posterior(read_batch(images, rows)) for rows in split_batches(len(images), batch_size)]
    return Posterior(torch.cat([part.mean for part in parts]), torch.cat([part.log_variance for part in parts]))


@torch.no_grad()
def metric_field(model: RHVAE, images: Images, batch_size: int, seed: int = 0) -> MetricField:
    """Give the metric of all images (N, *shape), or of `n_centroids` of them, under the model's present weights."""
    parts = [model.field(read_batch(images, rows)) for rows in split_batches(len(images), batch_size)]
    field = MetricField(
        torch.cat([part.centroids for part in parts]),
        torch.cat([part.factors for part in parts]),
        float(parts[0].temperature),
        float(parts[0].regularization),
    )
    return field


def _as_trained(model: VAE, scale: float) -> VAEConfig:
    config = model.config
    if not isinstance(config, (RHVAEConfig, HVAEConfig)) or not isinstance(model, (RHVAE, HVAE)):
        return config
    learned = model.flow.learned_values()
    step_size = learned.get("step_size", config.step_size) * scale
    return config.model_copy(update=learned | {"step_size": step_size})


def _draw_images(images: Images, n: int, generator: torch.Generator) -> Tensor:
    rows = torch.randint(len(images), (n,), generator=generator).sort().values.numpy()
    return read_batch(images, rows)


def appearance(images: Images, batch_size: int) -> Appearance:
    """Measure the mean image of images (N, *shape) and their root-mean-square deviation from it."""
    batches = split_batches(len(images), batch_size)
    sums = torch.stack([read_batch(images, rows).double().sum(0) for rows in batches])
    mean = sums.sum(0) / len(images)
    squares = [(read_batch(images, rows) - mean).square().sum().item() for rows in batches]
    return Appearance(mean.float(), max(math.sqrt(sum(squares) / images.size), FLAT))


def _check(images: Images, batch_size: int) -> None:
    if len(images) < 2 or images.ndim < 2:
        raise StudyError(
            "too few images to fit a generator",
            got=f"images of shape {images.shape}",
            expected="at least two images (N, *shape)",
            remedy="add subjects of this diagnosis, or lower the split's test and validation fractions",
        )
    batches = split_batches(len(images), batch_size)
    extremes = np.array([(images[rows].min(), images[rows].max()) for rows in batches])
    low, high = extremes.min(), extremes.max()  # both are NaN where any voxel is
    if not (low >= 0 and high <= 1):
        raise StudyError(
            "images cannot be learned by a generator",
            got=f"voxels from {low} to {high}",
            expected="voxels in [0, 1], none of them NaN",
            remedy="prepare the scans again: min-max scaling per image comes last",
        )
