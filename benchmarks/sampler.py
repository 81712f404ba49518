"""Hamiltonian chains on the volume density: time per leapfrog, and effective samples per second, against pythae's.

pythae's gradient lacks the trace (1/d too small), so that its chains hardly accept: the second figure is about that.
Both get the same metric, and each the best of its own step sizes.
"""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import arviz
import numpy as np
import torch
from torch import Tensor

from benchmarks import configurations, peer
from benchmarks.outcome import Effort, Outcome
from benchmarks.timing import compare
from cohortsmith.config.generator import TrainingConfig
from cohortsmith.core import hmc
from cohortsmith.core.metric import MetricField, expand, log_inverse_volume_and_gradient
from cohortsmith.core.support import ball_around, contains
from cohortsmith.models.training import fit_vae

DIMENSION, CHAINS, LEAPFROGS = 10, 100, 15
TARGETS = {50: 6.0, 200: 15.0, 1000: 40.0}
ESS_TARGET = 50.0
STEP_SIZES = (0.003, 0.01, 0.03, 0.1, 0.3, 0.6)
PILOT, STEPS = 40, 200  # MCMC steps to choose a step size by, and to count


class Chains(NamedTuple):
    """A run: positions (steps, chains, d), seconds, share of proposals accepted."""

    trajectory: Tensor
    seconds: float
    acceptance: float


Sampler = Callable[[MetricField, float, int], Chains]


def run(effort: Effort) -> Iterator[Outcome]:
    """Time a leapfrog for each number of centroids, then effective samples on a trained model."""
    for n_centroids, target in TARGETS.items():
        yield _leapfrog(n_centroids, target, effort)
    yield _effective_samples()


def draw_field(n_centroids: int, dimension: int = DIMENSION) -> MetricField:
    """Draw a metric with centroids N(0, I) and factors near 0.5 I."""
    generator = torch.Generator().manual_seed(configurations.SEED)
    centroids = torch.randn(n_centroids, dimension, generator=generator)
    lower = 0.1 * torch.randn(n_centroids, dimension, dimension, generator=generator).tril(-1)
    return MetricField(centroids, lower + 0.5 * torch.eye(dimension), 1.5, 1e-2)


def our_step(field: MetricField, step_size: float) -> hmc.Step:
    """Bind our transition on the density restricted to the usual ball."""
    log_density = partial(log_inverse_volume_and_gradient, expand(field))
    return hmc.build_kernel(log_density, partial(contains, ball_around(field.centroids, 2.0)), step_size, LEAPFROGS)


def our_transition(field: MetricField, n_chains: int) -> Callable[[], None]:
    """Bind one MCMC step of n chains, repeated from the same place."""
    generator = torch.Generator().manual_seed(configurations.SEED)
    start = field.centroids[torch.arange(n_chains) % len(field.centroids)]
    state, step = hmc.init(start, partial(log_inverse_volume_and_gradient, expand(field))), our_step(field, 0.03)
    return lambda: step(state, generator) and None


def our_chains(field: MetricField, step_size: float, n_steps: int) -> Chains:
    generator = torch.Generator().manual_seed(configurations.SEED)
    start = field.centroids[torch.randint(len(field.centroids), (CHAINS,), generator=generator)]
    step, positions, accepted = our_step(field, step_size), [], []
    began = time.perf_counter()
    state = hmc.init(start, partial(log_inverse_volume_and_gradient, expand(field)))
    for _ in range(n_steps):
        state, info = step(state, generator)
        positions.append(state.position)
        accepted.append(info.accepted.float().mean().item())
    return Chains(torch.stack(positions), time.perf_counter() - began, float(np.mean(accepted)))


def peer_chains(field: MetricField, step_size: float, n_steps: int) -> Chains:
    """Run pythae's chains; it asks for the log-density once before and once after each trajectory: so we see it move."""
    sampler = _peer_sampler(field, n_steps, step_size)
    torch.manual_seed(configurations.SEED)
    asked: list[Tensor] = []
    original = sampler.log_pi

    def recorded(z: Tensor, model: object) -> Tensor:
        asked.append(z)
        return original(z, model)

    sampler.log_pi = recorded
    began = time.perf_counter()
    last = sampler.hmc_sampling(CHAINS)
    seconds = time.perf_counter() - began
    positions = torch.stack([*asked[2::2], last])
    before = torch.stack(asked[::2])
    moved = (positions != before).any(-1).float().mean().item()
    return Chains(positions, seconds, moved)


def effective_samples(chains: Chains) -> float:
    """Give the worst coordinate's bulk effective sample size per second."""
    values = chains.trajectory.transpose(0, 1).double().numpy()
    sizes = [float(arviz.ess(values[:, :, axis], method="bulk")) for axis in range(values.shape[2])]
    return float(np.nan_to_num(min(sizes))) / chains.seconds


def _leapfrog(n_centroids: int, target: float, effort: Effort) -> Outcome:
    field = draw_field(n_centroids)
    theirs = _peer_sampler(field, 1, 0.03)
    contestants: dict[str, Callable[[], object]] = {
        "pythae": lambda: theirs.hmc_sampling(CHAINS),
        "ours": our_transition(field, CHAINS),
    }
    times = compare(contestants, effort.repeats, effort.tries)
    per_leapfrog = {label: f"{1e3 * timing.seconds / LEAPFROGS:.3f} ms/leapfrog" for label, timing in times.items()}
    noisy = any(timing.contended for timing in times.values())
    return Outcome(
        f"sampler_leapfrog_{n_centroids}", times["pythae"].seconds / times["ours"].seconds, target, per_leapfrog, noisy
    )


def _effective_samples() -> Outcome:
    images = _digits()
    if images is None:
        return Outcome("sampler_effective_samples", float("nan"), ESS_TARGET, {"skipped": "set COHORTSMITH_SHARED"})
    field = _train(images)
    ours, theirs = _best(our_chains, field), _best(peer_chains, field)
    return Outcome(
        "sampler_effective_samples",
        ours[1] / max(theirs[1], 1e-9),
        ESS_TARGET,
        {"ours": _describe(*ours), "pythae": _describe(*theirs)},
    )


def _best(sampler: Sampler, field: MetricField) -> tuple[float, float, float]:
    rates = {size: effective_samples(sampler(field, size, PILOT)) for size in STEP_SIZES}
    size = max(rates, key=lambda candidate: rates[candidate])
    chains = sampler(field, size, STEPS)
    return size, effective_samples(chains), chains.acceptance


def _describe(step_size: float, rate: float, acceptance: float) -> str:
    return f"{rate:.3g} effective samples/s at step {step_size}, acceptance {acceptance:.2f}"


def _train(images: np.ndarray) -> MetricField:
    config = configurations.settings(configurations.MNIST_100).model_copy(update={"likelihood": "bernoulli"})
    training = TrainingConfig(batch_size=60, epochs=200, warm_up_epochs=100)
    field = fit_vae(images, config, training, configurations.SEED).field
    assert field is not None
    return field


def _digits() -> np.ndarray | None:
    shared = Path(os.environ.get("COHORTSMITH_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    path = shared / "data" / "toy" / "mnist_012_120.npz"
    if not path.exists():
        return None
    stored = np.load(path)
    images = stored["images"].reshape(len(stored["images"]), 28, 28).astype(np.float32)
    return images / max(images.max(), 1.0)


def _peer_sampler(field: MetricField, n_steps: int, step_size: float) -> object:
    matrices = field.factors @ field.factors.mT
    return peer.build_sampler(
        field.centroids,
        matrices,
        field.temperature,
        field.regularization,
        mcmc_steps_nbr=n_steps,
        n_lf=LEAPFROGS,
        eps_lf=step_size,
    )
