"""Run many chains together: a warm-up that learns the step size, then steps with it frozen."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core import dual_averaging
from cohortsmith.core.hmc import ChainState, Membership, Step, StepInfo

StepBuilder = Callable[[float], Step]
"""A kernel with its target, still without a step size (HMC) or scale (random walk)."""


class Schedule(NamedTuple):
    """How long chains run. n_warm_up of them learn the step size and are thrown away, then n_steps follow.

    n_kept: last positions to keep, the second half if None, so that the beginning is forgotten; 0 to keep none.
    target: mean acceptance that the warm-up seeks.
    """

    n_warm_up: int
    n_steps: int
    n_kept: int | None = None
    target: float = dual_averaging.TARGET


class Chains(NamedTuple):
    """What C chains did.

    state: where they are. trajectory: (n_kept, C, d) last positions, kept on the CPU. acceptance, energy_error:
    (n_steps,) mean acceptance and median absolute energy error over the chains at each step. step_size: frozen.
    always_inside: (C,) bool, whether a chain began in the set and never left it.
    """

    state: ChainState
    trajectory: Tensor
    acceptance: Tensor
    energy_error: Tensor
    step_size: float
    always_inside: Tensor


def run_chains(
    build_step: StepBuilder,
    inside: Membership,
    begin: ChainState,
    step_size: float,
    schedule: Schedule,
    generator: torch.Generator,
) -> Chains:
    """Warm up from step_size, freeze what was learned, and run; without warm-up step_size itself is used."""
    always_inside = inside(begin.position)
    state, step_size = warm_up(build_step, begin, step_size, schedule, generator)
    step, first_kept = build_step(step_size), schedule.n_steps - _n_kept(schedule)
    kept: list[Tensor] = []
    summaries: list[tuple[float, float]] = []
    always_inside = always_inside & inside(state.position)
    for number in range(schedule.n_steps):
        state, info = step(state, generator)
        always_inside = always_inside & inside(state.position)
        summaries.append(_summary(info))
        if number >= first_kept:
            kept.append(state.position.cpu())
    return Chains(state, _stacked(kept, begin.position), *_columns(summaries), step_size, always_inside)


def warm_up(
    build_step: StepBuilder, begin: ChainState, step_size: float, schedule: Schedule, generator: torch.Generator
) -> tuple[ChainState, float]:
    """Step while the step size, one for all chains, follows their mean acceptance: gives state and step size."""
    state, search = begin, dual_averaging.start(step_size, schedule.target)
    for _ in range(schedule.n_warm_up):
        state, info = build_step(dual_averaging.current(search))(state, generator)
        search = dual_averaging.update(search, info.acceptance.mean().item())
    return state, dual_averaging.adapted(search)


def _n_kept(schedule: Schedule) -> int:
    half = schedule.n_steps - schedule.n_steps // 2
    return half if schedule.n_kept is None else schedule.n_kept


def _summary(info: StepInfo) -> tuple[float, float]:
    error = info.energy_error.nan_to_num(torch.inf).abs().median()
    return info.acceptance.mean().item(), error.item()


def _columns(summaries: list[tuple[float, float]]) -> tuple[Tensor, Tensor]:
    acceptance, error = torch.tensor(summaries, dtype=torch.float64).reshape(-1, 2).unbind(1)
    return acceptance, error


def _stacked(kept: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(kept) if kept else like.new_empty(0, *like.shape, device="cpu")
