"""Many small smooth problems minimised side by side, each with its own curvature and step: BFGS in batches.

torch.optim.LBFGS holds one curvature estimate and one step for all the problems together, so that the hardest of them
sets the pace and the accuracy of all.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Value (B,) and gradient (B, n) at points (B, n); the second argument (B,) says of which problem each row is."""

SUFFICIENT = 1e-4  # Armijo's constant (Nocedal & Wright 2006, section 3.1)
HALVINGS = 30


class Minimum(NamedTuple):
    """Where P problems ended: point (P, n), value (P,), and whether each is solved to the tolerance (P,) bool."""

    point: Tensor
    value: Tensor
    converged: Tensor


class Place(NamedTuple):
    """Where P problems are: point (P, n), value (P,), gradient (P, n)."""

    point: Tensor
    value: Tensor
    gradient: Tensor


def minimise(
    objective: Objective, start: Tensor, inverse_hessian: Tensor, tolerance: float, max_iterations: int
) -> Minimum:
    """Minimise positive functions from start (P, n) by BFGS with backtracking (Nocedal & Wright 2006, algorithm 6.1).

    inverse_hessian: (P, n, n) positive definite, a first guess. A problem is solved when g^T H g, twice the decrease
    still expected, is at most tolerance times its value. No value ever rises.
    """
    everyone = torch.arange(len(start), device=start.device)
    place = Place(start, *objective(start, everyone))
    moving = torch.ones_like(everyone, dtype=torch.bool)
    for _ in range(max_iterations):
        moving = moving & ~_is_solved(place, inverse_hessian, tolerance)
        rows = everyone[moving]
        if not len(rows):
            break
        there, curvature, moved = _step(objective, _only(place, rows), inverse_hessian[rows], rows)
        place, inverse_hessian = _put(place, rows, there), inverse_hessian.index_copy(0, rows, curvature)
        moving[rows] = moved
    return Minimum(place.point, place.value, _is_solved(place, inverse_hessian, tolerance))


def _is_solved(place: Place, inverse: Tensor, tolerance: float) -> Tensor:
    expected = (place.gradient * _times(inverse, place.gradient)).sum(1)
    return expected <= tolerance * place.value


def _step(objective: Objective, here: Place, inverse: Tensor, rows: Tensor) -> tuple[Place, Tensor, Tensor]:
    there, moved = _search(objective, here, -_times(inverse, here.gradient), rows)
    return there, _updated(inverse, there.point - here.point, there.gradient - here.gradient), moved


def _search(objective: Objective, here: Place, direction: Tensor, rows: Tensor) -> tuple[Place, Tensor]:
    """Halve the step of those problems only whose value has not yet fallen enough; say which fell at all."""
    slope = (here.gradient * direction).sum(1)
    there, step = here, 1.0
    moved = torch.zeros_like(rows, dtype=torch.bool)
    for _ in range(HALVINGS):
        pending = (~moved).nonzero().squeeze(1)
        if not len(pending):
            break
        point = here.point[pending] + step * direction[pending]
        trial = Place(point, *objective(point, rows[pending]))
        wanted = here.value[pending] + SUFFICIENT * step * slope[pending]
        # Both: what is wanted may be below the rounding of the value. Both are false where not a number.
        fell = (trial.value <= wanted) & (trial.value < here.value[pending])
        there, moved[pending], step = _put(there, pending[fell], _only(trial, fell)), fell, 0.5 * step
    return there, moved


def _updated(inverse: Tensor, step: Tensor, change: Tensor) -> Tensor:
    """Give the BFGS update (Nocedal & Wright 2006, eq. 6.17); keep the old one where the step saw no curvature."""
    agreement = (step * change).sum(1)
    seen = agreement > torch.finfo(step.dtype).eps * step.norm(dim=1) * change.norm(dim=1)
    rho = 1 / agreement.masked_fill(~seen, 1.0)
    moved = _times(inverse, change)
    stretch = rho + rho.square() * (change * moved).sum(1)
    cross = moved.unsqueeze(-1) * step.unsqueeze(1)
    outer = step.unsqueeze(-1) * step.unsqueeze(1)
    updated = inverse - rho[:, None, None] * (cross + cross.mT) + stretch[:, None, None] * outer
    return torch.where(seen[:, None, None], updated, inverse)


def _times(matrices: Tensor, vectors: Tensor) -> Tensor:
    return (matrices @ vectors.unsqueeze(-1)).squeeze(-1)


def _only(place: Place, rows: Tensor) -> Place:
    return Place(*(values[rows] for values in place))


def _put(place: Place, rows: Tensor, there: Place) -> Place:
    return Place(*(old.index_copy(0, rows, new) for old, new in zip(place, there, strict=True)))
