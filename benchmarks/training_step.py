"""One training step (forward, backward, check, Adam): pythae's RHVAE, ours, and the plain VAE of either.

Ours differentiates the flow exactly and solves the implicit leapfrog by three fixed-point iterations; pythae truncates
the gradient and does neither. pythae is run as users run it, with PyTorch's default Adam.
"""

import gc
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks import configurations, peer
from benchmarks.outcome import Effort, Outcome
from benchmarks.timing import Timing, compare
from cohortsmith.models.kinds import Phase, bound_of
from cohortsmith.models.objective import draw_noise

LEARNING_RATE = 1e-5
TARGETS = {
    "MNIST_100": 2.5,
    "MNIST_400": 15.0,
    "OASIS_2D": 2.0,
    "ADNI_SMALL": 1.5,
}
VAE_FACTOR = 2.2  # a step may take this many times a plain VAE's
VS_VAE = ("MNIST_100", "OASIS_2D", "ADNI_SMALL")


def run(effort: Effort) -> Iterator[Outcome]:
    """Measure every configuration."""
    for name, target in TARGETS.items():
        times = measure(getattr(configurations, name), effort)
        row = {label: str(timing) for label, timing in times.items()}
        noisy = any(timing.contended for timing in times.values())
        ours = times["ours"].seconds
        yield Outcome(f"training_step_{name}", times["pythae"].seconds / ours, target, row, noisy)
        if name in VS_VAE:
            for label in ("plain VAE (pythae)", "plain VAE (ours)"):
                whose = label.split("(")[1].rstrip(")")
                yield Outcome(
                    f"training_step_vs_vae_of_{whose}_{name}", times[label].seconds * VAE_FACTOR / ours, 1.0, {}, noisy
                )


def measure(configuration: configurations.Configuration, effort: Effort) -> dict[str, Timing]:
    """Time the four steps of one configuration in turns."""
    images = configurations.draw_images(configuration)
    model = configurations.build(configuration)
    optimizer = _adam(model, fused=True)
    contestants: dict[str, Callable[[], object]] = {
        "pythae": _peer_step(peer.build_rhvae(configuration), images),
        "ours": our_step(model, optimizer, images, "main"),
        "plain VAE (pythae)": _peer_step(peer.build_vae(configuration), images),
        "plain VAE (ours)": our_step(model, optimizer, images, "warm-up"),
    }
    times = compare(contestants, effort.repeats, effort.tries)
    contestants.clear()
    gc.collect()
    return times


def bind_ours(configuration: configurations.Configuration) -> Callable[[], None]:
    """Bind our full step on an untrained model of this configuration."""
    model = configurations.build(configuration)
    return our_step(model, _adam(model, fused=True), configurations.draw_images(configuration), "main")


def our_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, phase: Phase
) -> Callable[[], None]:
    """Bind a step as the learner takes it."""
    generator = torch.Generator().manual_seed(configurations.SEED)

    def step() -> None:
        loss = -bound_of(model, images, draw_noise((len(images), peer.LATENT), generator), phase).elbo.mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        assert torch.isfinite(loss)
        assert torch.isfinite(norm)
        optimizer.step()

    return step


def _peer_step(model: torch.nn.Module, images: Tensor) -> Callable[[], None]:
    optimizer = _adam(model, fused=None)

    def step() -> None:
        optimizer.zero_grad()
        model({"data": images}).loss.backward()
        optimizer.step()

    return step


def _adam(model: torch.nn.Module, fused: bool | None) -> torch.optim.Optimizer:
    return torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=LEARNING_RATE, fused=fused)
