"""One epoch of learning, and what happens when it diverges."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cohortsmith.config.generator import TrainingConfig
from cohortsmith.models.batches import Images, read_batch, split_batches
from cohortsmith.models.computing import device_of, move_noise
from cohortsmith.models.divergence import (
    Diverged,
    Step,
    TrainingDiverged,
    Unsolved,
    explain_bound,
    explain_gradient,
)
from cohortsmith.models.fitted import EpochRecord
from cohortsmith.models.kinds import Phase, bound_of
from cohortsmith.models.objective import Bound, draw_noise
from cohortsmith.models.optimizer_in_backward import OptimizerInBackward
from cohortsmith.models.vae import VAE
from cohortsmith.models.weights import Weights, is_large, remember

_MEANS = ("elbo", "reconstruction", "kl", "step_residual", "flow_shift")  # the fields of Bound, as history has them


@dataclass
class Learner:
    """What training changes.

    weights: those that the present epoch began with, and those of the epoch with the best score of this phase, to go
    back to; never weights that no bound has been computed with. scale: of the learning rate and the leapfrog step,
    halved by rollbacks. rate: of the learning rate alone, halved on plateaus. steps: since the ramp began. flow: share
    of the leapfrog step reached. smoothed, best: running mean of the ELBO, best score. stale: epochs since then.
    kept_scale: the scale of the leapfrog step that the kept weights were learned with.
    """

    model: VAE
    optimizer: torch.optim.Optimizer
    weights: Weights
    phase: Phase = "warm-up"
    scale: float = 1.0
    rate: float = 1.0
    flow: float = 1.0
    steps: int = 0
    rollbacks: int = 0
    smoothed: float = math.nan
    best: float = -math.inf
    stale: int = 0
    kept_scale: float = 1.0


def begin(model: VAE, learning_rate: float, folder: Path | None = None) -> Learner:
    """Start learning; the initial weights are the first to go back to. folder: for those of a large model."""
    return Learner(model, adam(model, learning_rate), remember(model, folder))


def begin_main(learner: Learner) -> None:
    """Switch to the model's own bound, whose running mean starts anew."""
    learner.phase, learner.steps = "main", 0
    learner.smoothed, learner.best, learner.stale = math.nan, -math.inf, 0


def learn_epoch(
    learner: Learner,
    images: Images,
    training: TrainingConfig,
    epoch: int,
    generator: torch.Generator,
    validate: Callable[[], float] | None = None,
) -> EpochRecord:
    """Take one Adam step per batch of images (N, *shape); where that diverges, roll back and do it again.

    validate: gives the score of the present weights, by which the epoch is judged instead of by its own ELBO.

    Raises:
        TrainingDiverged: more than `training.max_rollbacks` rollbacks since the start.
        Unsolved: the same, but the flow had been solved before: the kept weights are good, further training is not.
    """
    learner.flow = _reached(learner, training, epoch)
    causes: list[str] = []
    while True:
        try:
            score = None if validate is None else validate()
            means = _pass(learner, images, training, generator)
            _check_solved(means["step_residual"], training.maximum_residual)
        except Diverged as cause:
            _roll_back(learner, training, epoch, cause)
            causes.append(str(cause))
        else:
            _settle(learner, means["elbo"], score, training)
            return EpochRecord(epoch=epoch, **means, rollback="; ".join(causes), validation_elbo=score)


def adam(model: VAE, learning_rate: float) -> torch.optim.Optimizer:
    """Build Adam for all weights that are learned."""
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.Adam(learned, lr=learning_rate, fused=True)


def _reached(learner: Learner, training: TrainingConfig, epoch: int) -> float:
    begun = epoch + 1 - training.warm_up_epochs
    return min(1.0, begun / training.flow_ramp_epochs) if learner.phase == "main" and begun > 0 else 1.0


def _pass(learner: Learner, images: Images, training: TrainingConfig, generator: torch.Generator) -> dict[str, float]:
    learner.weights.enter(learner.model)
    order = torch.randperm(len(images), generator=generator).numpy()
    sums = np.zeros(5)
    for rows in split_batches(len(images), training.batch_size):
        bound = _step(learner, _draw_step(learner, images, np.sort(order[rows]), generator), training)
        sums += [values.detach().sum().item() for values in bound]
    return dict(zip(_MEANS, (sums / len(images)).tolist(), strict=True))


def _draw_step(learner: Learner, images: Images, rows: NDArray[np.intp], generator: torch.Generator) -> Step:
    device = device_of(learner.model)
    noise = move_noise(draw_noise((len(rows), learner.model.config.latent_dim), generator), device)
    batch = read_batch(images, rows).to(device)
    return Step(batch, rows, noise, learner.phase, learner.scale * learner.flow)


def _step(learner: Learner, step: Step, training: TrainingConfig) -> Bound:
    bound = bound_of(learner.model, step.images, step.noise, step.phase, step.scale)
    loss = -bound.elbo.mean()
    if not torch.isfinite(loss):
        raise explain_bound(learner.model, step, bound)
    learner.steps += 1
    ramp = min(1.0, learner.steps / training.learning_rate_ramp)
    learner.optimizer.param_groups[0]["lr"] = training.learning_rate * learner.scale * learner.rate * ramp
    _descend(learner, step, loss)
    return bound


def _descend(learner: Learner, step: Step, loss: Tensor) -> None:
    if is_large(learner.model):
        _descend_in_backward(learner, step, loss)
        return
    learner.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in learner.model.parameters() if parameter.grad is not None]
    if not torch.isfinite(torch.nn.utils.get_total_norm(gradients)):
        raise explain_gradient(learner.model, step)
    learner.optimizer.step()


def _descend_in_backward(learner: Learner, step: Step, loss: Tensor) -> None:
    with OptimizerInBackward(learner.optimizer) as stepping:
        loss.backward()  # type: ignore[no-untyped-call]
    if stepping.wrong:
        raise explain_gradient(learner.model, step, stepping.wrong)


def _settle(learner: Learner, elbo: float, validation: float | None, training: TrainingConfig) -> None:
    # One draw of the ELBO is noisy: its running mean decides what was best and when to stop.
    first, smoothing = math.isnan(learner.smoothed), training.smoothing
    learner.smoothed = elbo if first else smoothing * learner.smoothed + (1 - smoothing) * elbo
    score = learner.smoothed if validation is None else validation
    learner.stale += 1
    if score > learner.best:
        learner.best, learner.stale, learner.kept_scale = score, 0, learner.scale * learner.flow
        learner.weights.keep()
    if training.schedule == "plateau" and learner.stale and learner.stale % training.schedule_patience == 0:
        learner.rate /= 2


def _check_solved(residual: float, maximum: float) -> None:
    if residual > maximum:
        raise Unsolved(f"the flow's fixed points were unsolved by {residual:.2g}")


def _roll_back(learner: Learner, training: TrainingConfig, epoch: int, cause: Diverged) -> None:
    learner.weights.restore(learner.model)
    learner.optimizer, learner.steps = adam(learner.model, training.learning_rate), 0
    learner.scale /= 2
    learner.rollbacks += 1
    if learner.rollbacks > training.max_rollbacks:
        raise cause if _is_usable(learner, cause) else _hopeless(learner, training, epoch, cause)


def _is_usable(learner: Learner, cause: Diverged) -> bool:
    return isinstance(cause, Unsolved) and learner.best > -math.inf


def _hopeless(learner: Learner, training: TrainingConfig, epoch: int, cause: Diverged) -> TrainingDiverged:
    error = TrainingDiverged(
        "training the generator diverged again and again",
        where=f"epoch {epoch} ({learner.phase})",
        got=f"{cause}, after {training.max_rollbacks} rollbacks",
        expected="finite bounds and gradients",
        remedy="lengthen training.warm_up_epochs, lower training.learning_rate or generator.step_size, "
        "or raise generator.likelihood_variance",
    )
    error.images = cause.images
    return error
