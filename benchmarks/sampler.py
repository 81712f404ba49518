"""Hamiltonian chains on the volume density: time per leapfrog, and effective samples per second, against pythae's.

pythae's gradient lacks the trace (1/d too small), so that its chains hardly accept: the second figure is about that.
Both get the same metric, each the best of its own step sizes, and neither is restricted to a ball: pythae's cannot be.
"""

import math
import os
import time
from collections.abc import Callable, Iterator
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
from cohortsmith.core.density import Target, inverse_volume_density
from cohortsmith.core.diagnostics import mixing
from cohortsmith.core.metric import MetricField, expand, learned_geometry
from cohortsmith.core.support import Support
from cohortsmith.models.training import fit_vae

DIMENSION, CHAINS, LEAPFROGS = 10, 100, 15
TARGETS = {50: 6.0, 200: 15.0, 1000: 40.0}
ESS_TARGET = 50.0
STEP_SIZES = (0.003, 0.01, 0.03, 0.1, 0.3, 0.6)
TIMED_STEP_SIZE = 0.03
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
    yield from _effective_samples()


def draw_field(n_centroids: int, dimension: int = DIMENSION) -> MetricField:
    """Draw a metric with centroids N(0, I) and factors near 0.5 I."""
    generator = torch.Generator().manual_seed(configurations.SEED)
    centroids = torch.randn(n_centroids, dimension, generator=generator)
    lower = 0.1 * torch.randn(n_centroids, dimension, dimension, generator=generator).tril(-1)
    return MetricField(centroids, lower + 0.5 * torch.eye(dimension), 1.5, 1e-2)


def unrestricted(field: MetricField) -> Target:
    """Give the density that both sample, on all of the latent space."""
    return inverse_volume_density(learned_geometry(expand(field)), Support(math.inf, field.centroids))


def our_transition(field: MetricField, n_chains: int) -> Callable[[], object]:
    """Bind one MCMC step of n chains, repeated from the same place."""
    generator, target = torch.Generator().manual_seed(configurations.SEED), unrestricted(field)
    state = hmc.init(field.centroids[torch.arange(n_chains) % len(field.centroids)], target.log_density)
    step = hmc.build_kernel(target.log_density, target.inside, TIMED_STEP_SIZE, LEAPFROGS, target.score)
    return lambda: step(state, generator)


def our_chains(field: MetricField, step_size: float, n_steps: int) -> Chains:
    """Run our chains as the library does, without its warm-up."""
    generator, target = torch.Generator().manual_seed(configurations.SEED), unrestricted(field)
    start = field.centroids[torch.randint(len(field.centroids), (CHAINS,), generator=generator)]
    step = hmc.build_kernel(target.log_density, target.inside, step_size, LEAPFROGS, target.score)
    positions, accepted = [], []
    began = time.perf_counter()
    state = hmc.init(start, target.log_density)
    for _ in range(n_steps):
        state, info = step(state, generator)
        positions.append(state.position)
        accepted.append(info.accepted)
    seconds = time.perf_counter() - began
    return Chains(torch.stack(positions), seconds, torch.stack(accepted).float().mean().item())


def peer_chains(field: MetricField, step_size: float, n_steps: int) -> Chains:
    """Run pythae's chains; it asks for the log-density before and after each trajectory: so we see it move."""
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


def between_modes(trajectory: Tensor) -> float:
    """Give the effective samples of all chains pooled, which counts a chain as one draw until it changes mode."""
    frozen = bool((trajectory == trajectory[0]).all())  # constants have no autocorrelation to estimate
    return len(trajectory[0]) if frozen else mixing(trajectory).effective_sample_size


def within_modes(trajectory: Tensor) -> float:
    """Give the sum of what each chain has alone, one if it never moves: the worst coordinate's."""
    values = trajectory.permute(2, 1, 0).double().numpy()
    return min(sum(float(arviz.ess(chain)) if np.ptp(chain) else 1.0 for chain in axis) for axis in values)


def _leapfrog(n_centroids: int, target: float, effort: Effort) -> Outcome:
    field = draw_field(n_centroids)
    theirs = _peer_sampler(field, 1, TIMED_STEP_SIZE)
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


def _effective_samples() -> Iterator[Outcome]:
    names = {"sampler_effective_samples": between_modes, "sampler_effective_samples_within_modes": within_modes}
    images = _digits()
    if images is None:
        why = {"no data/toy/mnist_012_120.npz in": f"{_shared()}; set COHORTSMITH_SHARED to the folder that holds it"}
        yield from (Outcome(name, math.nan, ESS_TARGET, why) for name in names)
        return
    field = _train(images)
    for name, count in names.items():
        ours, theirs = _best(our_chains, field, count), _best(peer_chains, field, count)
        yield Outcome(name, ours[0] / theirs[0], ESS_TARGET, {"ours": ours[1], "pythae": theirs[1]})


def _best(sampler: Sampler, field: MetricField, count: Callable[[Tensor], float]) -> tuple[float, str]:
    """Choose the step size in short runs; give the effective samples per second of a long one, and in words."""

    def rate(chains: Chains) -> float:
        return count(chains.trajectory) / chains.seconds

    size = max(STEP_SIZES, key=lambda candidate: rate(sampler(field, candidate, PILOT)))
    chains = sampler(field, size, STEPS)
    told = f"{rate(chains):.3g}/s at step {size}, acceptance {chains.acceptance:.2f}, R-hat "
    return rate(chains), f"{told}{mixing(chains.trajectory).r_hat:.2f}"


def _train(images: np.ndarray) -> MetricField:
    config = configurations.settings(configurations.MNIST_100).model_copy(update={"likelihood": "bernoulli"})
    training = TrainingConfig(batch_size=60, epochs=200, warm_up_epochs=100)
    field = fit_vae(images, config, training, configurations.SEED).field
    assert field is not None
    return field


def _digits() -> np.ndarray | None:
    path = _shared() / "data" / "toy" / "mnist_012_120.npz"
    if not path.exists():
        return None
    return np.load(path)["images"].astype(np.float32) / 255


def _shared() -> Path:
    return Path(os.environ.get("COHORTSMITH_SHARED") or Path(__file__).resolve().parents[2] / "shared")


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
