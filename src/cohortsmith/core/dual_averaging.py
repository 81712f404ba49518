"""Learn a step size during warm-up: Nesterov's dual averaging (Hoffman & Gelman 2014, section 3.2, algorithm 5)."""

import math
from typing import NamedTuple

# Hoffman & Gelman 2014, section 3.2.1.
GAMMA = 0.05  # how strongly steps shrink towards the anchor
T_ZERO = 10.0  # early updates that count for less
KAPPA = 0.75  # how fast old steps are forgotten
TARGET = 0.65  # acceptance at which HMC costs least per independent draw (their section 3.2)


class StepSizeSearch(NamedTuple):
    """anchor: log of the step towards which steps shrink. error: mean of target - acceptance, weighted.

    log_step: of the next step to try. log_averaged: of the average over the steps. n_updates: so far.
    """

    target: float
    anchor: float
    log_step: float
    log_averaged: float = 0.0
    error: float = 0.0
    n_updates: int = 0


def start(step_size: float, target: float = TARGET) -> StepSizeSearch:
    """Start from a step size in latent units, towards a target acceptance in (0, 1)."""
    return StepSizeSearch(target, math.log(10 * step_size), math.log(step_size))


def update(search: StepSizeSearch, acceptance: float) -> StepSizeSearch:
    """Learn from the mean acceptance over the chains of the last step, at `current(search)`; NaN counts as 0."""
    n = search.n_updates + 1
    missed = search.target - (0.0 if math.isnan(acceptance) else acceptance)
    error = search.error + (missed - search.error) / (n + T_ZERO)
    log_step = search.anchor - math.sqrt(n) / GAMMA * error
    log_averaged = search.log_averaged + n**-KAPPA * (log_step - search.log_averaged)
    return search._replace(log_step=log_step, log_averaged=log_averaged, error=error, n_updates=n)


def current(search: StepSizeSearch) -> float:
    """Give the step size to try next."""
    return math.exp(search.log_step)


def adapted(search: StepSizeSearch) -> float:
    """Give the step size learned: the average after the last update, the first one before any."""
    return math.exp(search.log_averaged if search.n_updates else search.log_step)
