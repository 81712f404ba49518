"""Why a training step failed: which term of the bound, and which images of the training set."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cohortsmith.core.metric import expand, log_inverse_volume
from cohortsmith.errors import TrainingError
from cohortsmith.models.fitted import FittedVAE
from cohortsmith.models.kinds import Phase, bound_of
from cohortsmith.models.objective import Bound, Noise, draw
from cohortsmith.models.rhvae import RHVAE
from cohortsmith.models.vae import VAE

NAMED = 8  # images that a message names before it only counts them
_TERMS = {
    "reconstruction": "log p(x | z)",
    "kl": "KL to the prior",
    "residual": "fixed-point residual",
}


class Diverged(ArithmeticError):
    """The bound or its gradient stopped being a number; images: rows of the training set that it began with."""

    def __init__(self, message: str, images: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.images = images


class Unsolved(Diverged):
    """The implicit leapfrog is too far from solved: it does not preserve volume, and the bound is none.

    Without this check the metric learns to grow until three iterations do not converge, and collects the error as
    if it were evidence.
    """


class TrainingDiverged(TrainingError):
    """Training diverged beyond the allowed retries; last_good: the model of the best epoch, where there was one.

    images: rows of the training set that the last divergence began with. Neither survives pickling.
    """

    last_good: FittedVAE | None = None
    images: tuple[int, ...] = ()


class Step(NamedTuple):
    """What one bound is computed from: images (B, D), their rows in the training set (B,), noise, phase, step scale."""

    images: Tensor
    rows: NDArray[np.intp]
    noise: Noise
    phase: Phase
    scale: float


@torch.no_grad()
def explain_bound(model: VAE, step: Step, bound: Bound) -> Diverged:
    """Name the first quantity on the way to a bound that is not finite, and the images for which it is not."""
    for name, values in [*_on_the_way(model, step), *_terms(bound, step.phase)]:
        wrong = ~values.isfinite()
        if wrong.any():
            images = tuple(int(row) for row in step.rows[wrong.cpu().numpy()])
            return Diverged(f"{name} of {name_images(images)} became {values[wrong][0].item()}", images)
    return Diverged(f"the mean ELBO of {name_images(tuple(step.rows.tolist()))} is beyond what its numbers can hold")


def explain_gradient(model: VAE, step: Step, known: Sequence[Tensor] = ()) -> Diverged:
    """Name the parameters whose gradient is not finite, and the images through which it came.

    known: such parameters, where the gradients are gone.
    """
    ids = {id(parameter) for parameter in known}
    wrong = [name for name, value in model.named_parameters() if id(value) in ids or not _is_finite(value.grad)]
    model.zero_grad(set_to_none=True)  # before another gradient as large
    images = _through(model, step)
    others = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    name = wrong[0] if wrong else "all weights together"
    return Diverged(f"the gradient of {name}{others} through {name_images(images)} is not finite", images)


def name_images(images: tuple[int, ...]) -> str:
    """Name rows of the training set, not more than a reader would read."""
    listed = ", ".join(str(image) for image in images[:NAMED])
    return f"image{'s' * (len(images) > 1)} {listed}" + f" and {len(images) - NAMED} more" * (len(images) > NAMED)


def _on_the_way(model: VAE, step: Step) -> list[tuple[str, Tensor]]:
    posterior = model.posterior(step.images)
    found = [("posterior mean", posterior.mean.sum(1)), ("posterior log-variance", posterior.log_variance.sum(1))]
    if step.phase == "main" and isinstance(model, RHVAE):
        field = model.field_at(posterior.mean, step.images)
        found.append(("metric factor", field.factors.sum((1, 2))))
        start = draw(posterior, step.noise.latent)
        found.append(("log det of the metric at z_0", log_inverse_volume(expand(field), start)))
    return found


def _terms(bound: Bound, phase: Phase) -> list[tuple[str, Tensor]]:
    # The ELBO comes last: where all else is finite, only the velocities' densities are left.
    last = "velocity ratio of the flow" if phase == "main" and bound.shift.any() else "ELBO"
    return [*((label, getattr(bound, name)) for name, label in _TERMS.items()), (last, bound.elbo)]


def _through(model: VAE, step: Step) -> tuple[int, ...]:
    images = step.images.detach().clone().requires_grad_()
    elbo = bound_of(model, images, step.noise, step.phase, step.scale).elbo.mean()
    (gradient,) = torch.autograd.grad(elbo, images)
    wrong = ~gradient.isfinite().all(1).cpu().numpy()
    rows = step.rows[wrong] if wrong.any() else step.rows
    return tuple(int(row) for row in rows)


def _is_finite(gradient: Tensor | None) -> bool:
    return gradient is None or bool(gradient.isfinite().all())
