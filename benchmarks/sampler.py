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
    yield _effective_samples()


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
    step = hmc.build_kernel(*target, TIMED_STEP_SIZE, LEAPFROGS)
    return lambda: step(state, generator)


def our_chains(field: MetricField, step_size: float, n_steps: int) -> Chains:
    """Run our chains as the library does, without its warm-up."""
    generator, target = torch.Generator().manual_seed(configurations.SEED), unrestricted(field)
    start = field.centroids[torch.randint(len(field.centroids), (CHAINS,), generator=generator)]
    step, positions, accepted = hmc.build_kernel(*target, step_size, LEAPFROGS), [], []
    began = time.perf_counter()
    state = hmc.init(start, target.log_density)
    for _ in range(n_steps):
        state, info = step(state, generator)
        positions.append(state.position)
        accepted.append(info.accepted)
    seconds = time.perf_counter() - began
    return Chains(torch.stack(positions), seconds, torch.stack(accepted).float().mean().item())


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
    """Give the worst coordinate's bulk effective sample size per second; chains that never move are one draw."""
    if not chains.acceptance:  # constants have no autocorrelation to estimate
        return 1 / chains.seconds
    values = chains.trajectory.transpose(0, 1).double().numpy()
    sizes = [float(arviz.ess(values[:, :, axis], method="bulk")) for axis in range(values.shape[2])]
    return float(np.nan_to_num(min(sizes), nan=1.0)) / chains.seconds


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


def _effective_samples() -> Outcome:
    images = _digits()
    if images is None:
        why = {"no data/toy/mnist_012_120.npz in": f"{_shared()}; set COHORTSMITH_SHARED to the folder that holds it"}
        return Outcome("sampler_effective_samples", math.nan, ESS_TARGET, why)
    field = _train(images)
    ours, theirs = _best(our_chains, field), _best(peer_chains, field)
    return Outcome(
        "sampler_effective_samples",
        ours[1] / theirs[1],
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
