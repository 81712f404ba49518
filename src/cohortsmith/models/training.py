"""Fit an RHVAE: warm up as a plain VAE, switch the flow on, stop when the smoothed ELBO has settled."""

import math
from collections.abc import Callable

import numpy as np
import torch

from cohortsmith.config.generator import RHVAEConfig, TrainingConfig
from cohortsmith.core.metric import MetricField
from cohortsmith.errors import StudyError
from cohortsmith.models.batches import Images, read_batch, split_batches
from cohortsmith.models.learner import Unsolved, begin, begin_flow, learn_epoch
from cohortsmith.models.rhvae import (
    RHVAE,
    Appearance,
    EpochRecord,
    FittedRHVAE,
    build_rhvae,
    decode,
    encode,
    reconstruct,
)

__all__ = ["EpochRecord", "FittedRHVAE", "decode", "encode", "fit_rhvae", "metric_field", "reconstruct"]

FLAT = 1e-6  # contrast of images that are all the same, which may be divided by


def fit_rhvae(
    images: Images,
    config: RHVAEConfig,
    training: TrainingConfig,
    seed: int,
    on_epoch: Callable[[int, float], None] | None = None,
) -> FittedRHVAE:
    """Fit an RHVAE to images (N, *shape) of one diagnosis; the same seed gives the same fit.

    Keeps the weights of the best smoothed ELBO with the flow on, and computes all N centroids and factors with them.
    Stops there too when the flow, after `training.max_rollbacks` rollbacks, has again grown past what can be solved.
    on_epoch: told (epoch, elbo) after each epoch.

    Raises:
        StudyError: fewer than two images, or voxels outside [0, 1].
        TrainingError: diverged more than `training.max_rollbacks` times.
    """
    _check(images, training.batch_size)
    generator = torch.Generator().manual_seed(seed)
    model = build_rhvae(config, images.shape[1:], generator, appearance(images, training.batch_size))
    learner = begin(model, training.learning_rate)
    history: list[EpochRecord] = []
    for epoch in range(training.epochs):
        if epoch == training.warm_up_epochs:
            begin_flow(learner)
        try:
            history.append(learn_epoch(learner, images, training, epoch, generator))
        except Unsolved as cause:
            history[-1] = history[-1]._replace(rollback=f"stopped after this epoch: {cause}")
            break
        if on_epoch is not None:
            on_epoch(epoch, history[-1].elbo)
        if learner.phase == "flow" and learner.stale >= training.patience:
            break
    model.load_state_dict(learner.kept)
    field = metric_field(model, images, training.batch_size)
    as_trained = config.model_copy(update={"step_size": config.step_size * learner.kept_scale})
    return FittedRHVAE(as_trained, images.shape[1:], learner.kept, field, tuple(history))


@torch.no_grad()
def metric_field(model: RHVAE, images: Images, batch_size: int) -> MetricField:
    """Give the metric of all images (N, *shape) under the model's present weights."""
    parts = [model.field(read_batch(images, rows)) for rows in split_batches(len(images), batch_size)]
    return parts[0]._replace(
        centroids=torch.cat([part.centroids for part in parts]),
        factors=torch.cat([part.factors for part in parts]),
    )


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
