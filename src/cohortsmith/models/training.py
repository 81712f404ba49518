"""Fit a model: a plain VAE first where it has a flow, then by its own bound until the smoothed ELBO has settled."""

import contextlib
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cohortsmith.config.generator import HVAEConfig, RHVAEConfig, TrainingConfig, VAEConfig
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.models.batches import Images, read_batch, split_batches
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.checkpoint import to_checkpoint
from cohortsmith.models.computing import choose_device, device_of, half_precision
from cohortsmith.models.divergence import TrainingDiverged, Unsolved
from cohortsmith.models.encoding import encode_all, metric_field, thin_to_medoids
from cohortsmith.models.fitted import EpochRecord, FittedVAE
from cohortsmith.models.hvae import HVAE
from cohortsmith.models.kinds import WARMED_UP, enter_main
from cohortsmith.models.learner import Learner, begin, begin_main, learn_epoch
from cohortsmith.models.r_vae import RVAE
from cohortsmith.models.resuming import Checkpoints, mark_of, remove_checkpoints
from cohortsmith.models.rhvae import RHVAE
from cohortsmith.models.tensor_file import write_tensors
from cohortsmith.models.vae import VAE
from cohortsmith.models.validation import validation_elbo
from cohortsmith.models.vamp_vae import VampVAE

LAST_GOOD = "last_good.safetensors"
FLAT = 1e-6  # contrast of images that are all the same, which may be divided by


def fit_vae(
    images: Images,
    config: VAEConfig,
    training: TrainingConfig,
    seed: int,
    on_epoch: Callable[[int, float], None] | None = None,
    *,
    checkpoint: Path | None = None,
    validation: Images | None = None,
) -> FittedVAE:
    """Fit a model to images (N, *shape) of one diagnosis; the same seed gives the same fit.

    Keeps the weights of the best ELBO after the warm-up, and computes all N codes and factors with them.
    Stops there too when the flow, after `training.max_rollbacks` rollbacks, has again grown past what can be solved.
    on_epoch: told (epoch, elbo) after each epoch, also of those that a checkpoint remembers.
    checkpoint: a folder of this training alone, where it goes on if it was killed; emptied at the end.
    validation: images (M, *shape) that are only looked at, where `training.stop_on` asks for them.

    Raises:
        ConfigurationError: a GPU or validation images are asked for, and there are none.
        StudyError: fewer than two images, or voxels outside [0, 1].
        TrainingDiverged: diverged more than `training.max_rollbacks` times. Its `last_good` is the model of the best
            epoch after the warm-up, or None; with a checkpoint folder it is also in LAST_GOOD there, for
            `from_checkpoint`. The checkpoint stays.
    """
    validation = _check_all(images, validation, training)
    course = _begin(images, validation, config, training, seed, checkpoint)
    checkpoints = None if checkpoint is None else Checkpoints(checkpoint, _mark(course), training)
    history = [] if checkpoints is None else checkpoints.resume(course.learner, course.generator)
    try:
        _follow(course, history, on_epoch or _tell_no_one, checkpoints)
    except TrainingDiverged as error:
        raise _with_last_good(error, course, history, checkpoint) from error
    fitted = _finish(course, history)
    if checkpoint is not None:
        remove_checkpoints(checkpoint)
    return fitted


class Course(NamedTuple):
    """All that the epochs of one training share."""

    learner: Learner
    images: Images
    validation: Images | None
    training: TrainingConfig
    seed: int
    generator: torch.Generator


def _begin(
    images: Images,
    validation: Images | None,
    config: VAEConfig,
    training: TrainingConfig,
    seed: int,
    folder: Path | None,
) -> Course:
    device, generator = choose_device(training), torch.Generator().manual_seed(seed)
    model = build_model(config, images.shape[1:], generator, appearance(images, training.batch_size))
    if isinstance(model, VampVAE):
        model.start_at(_draw_images(images, model.config.n_pseudo_inputs, generator))
    learner = begin(model.to(device), training.learning_rate, folder)
    return Course(learner, images, validation, training, seed, generator)


def _mark(course: Course) -> str:
    stacks = [course.images] if course.validation is None else [course.images, course.validation]
    model = course.learner.model
    return mark_of(stacks, model.config, course.training, course.seed, device_of(model))


def _follow(
    course: Course,
    history: list[EpochRecord],
    tell: Callable[[int, float], None],
    checkpoints: Checkpoints | None,
) -> None:
    learner, training = course.learner, course.training
    for record in history:
        tell(record.epoch, record.elbo)
    with half_precision(learner.model) if training.precision == "bfloat16" else contextlib.nullcontext():
        while len(history) < training.epochs and not _is_settled(learner, training):
            if len(history) == _warm_up_epochs(course):
                _enter_main(course)
            try:
                history.append(_learn(course, len(history)))
            except Unsolved as cause:
                history[-1] = history[-1]._replace(rollback=f"stopped after this epoch: {cause}")
                return
            tell(history[-1].epoch, history[-1].elbo)
            if checkpoints is not None:
                checkpoints.offer(learner, course.generator, history)


def _enter_main(course: Course) -> None:
    learner = course.learner
    enter_main(learner.model, course.images, course.training.batch_size, course.generator)
    if isinstance(learner.model, RVAE):  # the weights that it had as an autoencoder are none to go back to
        learner.weights.enter(learner.model)
        learner.weights.keep()
    begin_main(learner)


def _learn(course: Course, epoch: int) -> EpochRecord:
    validate = None if course.validation is None else partial(_validate, course, course.validation)
    return learn_epoch(course.learner, course.images, course.training, epoch, course.generator, validate)


def _validate(course: Course, validation: Images) -> float:
    learner, batch_size = course.learner, course.training.batch_size
    as_learned = (learner.phase, learner.scale * learner.flow)
    return validation_elbo(learner.model, validation, course.images, batch_size, course.seed, *as_learned)


def _is_settled(learner: Learner, training: TrainingConfig) -> bool:
    return learner.phase == "main" and learner.stale >= training.patience


def _warm_up_epochs(course: Course) -> int:
    return course.training.warm_up_epochs if course.learner.model.config.kind in WARMED_UP else 0


def _finish(course: Course, history: list[EpochRecord]) -> FittedVAE:
    learner, images, batch_size = course.learner, course.images, course.training.batch_size
    learner.weights.restore(learner.model)
    model = learner.model.cpu()
    codes, field = encode_all(model, images, batch_size), None
    if isinstance(model, RHVAE):
        field = thin_to_medoids(metric_field(model, images, batch_size), model.config.n_centroids)
    state = {name: value.detach() for name, value in model.state_dict().items()}
    return FittedVAE(_as_trained(model, learner.kept_scale), images.shape[1:], state, codes, field, tuple(history))


def _with_last_good(
    error: TrainingDiverged, course: Course, history: list[EpochRecord], folder: Path | None
) -> TrainingDiverged:
    if course.learner.phase == "main" and course.learner.best > -math.inf:
        error.last_good = _finish(course, history)
        if folder is not None:
            write_tensors(folder / LAST_GOOD, *to_checkpoint(error.last_good))
            error.remedy += f"; the best model until then is in {folder / LAST_GOOD}"
    return error


def _tell_no_one(epoch: int, elbo: float) -> None:
    del epoch, elbo


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


def _check_all(images: Images, validation: Images | None, training: TrainingConfig) -> Images | None:
    """Refuse what cannot be learned from; give the validation images if they are to be used."""
    choose_device(training)
    _check(images, training.batch_size)
    return _check_validation(validation, images, training) if training.stop_on == "validation" else None


def _check_validation(validation: Images | None, images: Images, training: TrainingConfig) -> Images:
    if validation is None or not len(validation) or validation.shape[1:] != images.shape[1:]:
        raise ConfigurationError(
            "there are no validation images to decide when training stops",
            where="parameters.training.stop_on",
            got=f"validation, with {'no' if validation is None else validation.shape} images",
            expected=f"at least one image of shape {images.shape[1:]}",
            remedy="set training.stop_on to training, or raise split.validation",
        )
    _check_voxels(validation, training.batch_size)
    return validation


def _check(images: Images, batch_size: int) -> None:
    if len(images) < 2 or images.ndim < 2:
        raise StudyError(
            "too few images to fit a generator",
            got=f"images of shape {images.shape}",
            expected="at least two images (N, *shape)",
            remedy="add subjects of this diagnosis, or lower split.test and split.validation",
        )
    _check_voxels(images, batch_size)


def _check_voxels(images: Images, batch_size: int) -> None:
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
