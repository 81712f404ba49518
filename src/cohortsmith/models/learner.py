"""One epoch of learning, and what happens when it diverges."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cohortsmith.config.generator import TrainingConfig
from cohortsmith.errors import TrainingError
from cohortsmith.models.batches import Images, read_batch, split_batches
from cohortsmith.models.fitted import EpochRecord
from cohortsmith.models.kinds import Phase, bound_of
from cohortsmith.models.objective import Bound, draw_noise
from cohortsmith.models.vae import VAE

_MEANS = ("elbo", "reconstruction", "kl", "step_residual", "flow_shift")  # the fields of Bound, as history has them


class Diverged(ArithmeticError):
    """The bound or its gradient stopped being a number."""


class Unsolved(Diverged):
    """The implicit leapfrog is too far from solved: it does not preserve volume, and the bound is none.

    Without this check the metric learns to grow until three iterations do not converge, and collects the error as
    if it were evidence.
    """


@dataclass
class Learner:
    """What training changes.

    entered: the weights that the present epoch began with. kept: those of the epoch with the best smoothed ELBO of
    this phase, to go back to; never weights that no bound has been computed with. scale: of the learning rate and
    the leapfrog step. steps: since the ramp began. smoothed, best: running mean of the ELBO, its best value.
    stale: epochs since then. kept_scale: the scale that the kept weights were learned with.
    """

    model: VAE
    optimizer: torch.optim.Optimizer
    entered: dict[str, Tensor]
    kept: dict[str, Tensor]
    phase: Phase = "warm-up"
    scale: float = 1.0
    steps: int = 0
    rollbacks: int = 0
    smoothed: float = math.nan
    best: float = -math.inf
    stale: int = 0
    kept_scale: float = 1.0


def begin(model: VAE, learning_rate: float) -> Learner:
    """Start learning; the initial weights are the first to go back to."""
    entered, kept = ({name: value.clone() for name, value in model.state_dict().items()} for _ in range(2))
    return Learner(model, _adam(model, learning_rate), entered, kept)


def begin_main(learner: Learner) -> None:
    """Switch to the model's own bound, whose running mean starts anew."""
    learner.phase, learner.steps = "main", 0
    learner.smoothed, learner.best, learner.stale = math.nan, -math.inf, 0


def learn_epoch(
    learner: Learner, images: Images, training: TrainingConfig, epoch: int, generator: torch.Generator
) -> EpochRecord:
    """Take one Adam step per batch of images (N, *shape); where that diverges, roll back and do it again.

    Raises:
        TrainingError: more than `training.max_rollbacks` rollbacks since the start.
        Unsolved: the same, but the flow had been solved before: the kept weights are good, further training is not.
    """
    causes: list[str] = []
    while True:
        try:
            means = _pass(learner, images, training, generator)
            _check_solved(means["step_residual"], training.maximum_residual)
        except Diverged as cause:
            _roll_back(learner, training, epoch, cause)
            causes.append(str(cause))
        else:
            _settle(learner, means["elbo"], training.smoothing)
            return EpochRecord(epoch=epoch, **means, rollback="; ".join(causes))


def _pass(learner: Learner, images: Images, training: TrainingConfig, generator: torch.Generator) -> dict[str, float]:
    _copy(learner.model.state_dict(), learner.entered)
    order = torch.randperm(len(images), generator=generator).numpy()
    sums = np.zeros(5)
    for rows in split_batches(len(images), training.batch_size):
        bound = _step(learner, read_batch(images, np.sort(order[rows])), training, generator)
        sums += [values.detach().sum().item() for values in bound]
    return dict(zip(_MEANS, (sums / len(images)).tolist(), strict=True))


def _step(learner: Learner, batch: Tensor, training: TrainingConfig, generator: torch.Generator) -> Bound:
    bound = _bound(learner, batch, generator)
    loss = -bound.elbo.mean()
    if not torch.isfinite(loss):
        raise Diverged(f"the ELBO became {-loss.item()}")
    learner.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in learner.model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if not torch.isfinite(norm):
        raise Diverged(f"the gradient's norm became {norm.item()}")
    learner.steps += 1
    ramp = min(1.0, learner.steps / training.learning_rate_ramp)
    learner.optimizer.param_groups[0]["lr"] = training.learning_rate * learner.scale * ramp
    learner.optimizer.step()
    return bound


def _bound(learner: Learner, batch: Tensor, generator: torch.Generator) -> Bound:
    noise = draw_noise((len(batch), learner.model.config.latent_dim), generator)
    return bound_of(learner.model, batch, noise, learner.phase, learner.scale)


def _settle(learner: Learner, elbo: float, smoothing: float) -> None:
    # One draw of the ELBO is noisy: its running mean decides what was best and when to stop.
    first = math.isnan(learner.smoothed)
    learner.smoothed = elbo if first else smoothing * learner.smoothed + (1 - smoothing) * elbo
    learner.stale += 1
    if learner.smoothed > learner.best:
        learner.best, learner.stale, learner.kept_scale = learner.smoothed, 0, learner.scale
        learner.entered, learner.kept = learner.kept, learner.entered


def _check_solved(residual: float, maximum: float) -> None:
    if residual > maximum:
        raise Unsolved(f"the flow's fixed points were unsolved by {residual:.2g}")


def _roll_back(learner: Learner, training: TrainingConfig, epoch: int, cause: Diverged) -> None:
    _copy(learner.kept, learner.model.state_dict())
    learner.optimizer, learner.steps = _adam(learner.model, training.learning_rate), 0
    learner.scale /= 2
    learner.rollbacks += 1
    if learner.rollbacks > training.max_rollbacks:
        raise cause if _is_usable(learner, cause) else _hopeless(learner, training, epoch, cause)


def _is_usable(learner: Learner, cause: Diverged) -> bool:
    return isinstance(cause, Unsolved) and learner.best > -math.inf


def _hopeless(learner: Learner, training: TrainingConfig, epoch: int, cause: Diverged) -> TrainingError:
    return TrainingError(
        "training the generator diverged again and again",
        where=f"epoch {epoch} ({learner.phase})",
        got=f"{cause}, after {training.max_rollbacks} rollbacks",
        expected="finite bounds and gradients",
        remedy="lengthen training.warm_up_epochs, lower training.learning_rate or generator.step_size, "
        "or raise generator.likelihood_variance",
    )


def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    for name, value in source.items():
        target[name].copy_(value)


def _adam(model: VAE, learning_rate: float) -> torch.optim.Optimizer:
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.Adam(learned, lr=learning_rate, fused=True)
