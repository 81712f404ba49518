"""How costs grow: of a chain's step with chains and centroids, of a training step with the batch.

A slope of 1 on logarithmic axes is linear growth.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from math import log
from pathlib import Path
from typing import NamedTuple

from benchmarks import configurations
from benchmarks.outcome import Effort, Outcome
from benchmarks.sampler import CHAINS, draw_field, our_transition
from benchmarks.timing import Timing, compare
from benchmarks.training_step import bind_ours
from cohortsmith.reporting.figures import style

CHAIN_COUNTS = (25, 50, 100, 200, 400)
CENTROID_COUNTS = (50, 100, 200, 400, 800, 1600)
BATCHES = (25, 50, 100, 200, 400)
CENTROIDS = 200  # where chains vary
PLOT = Path(__file__).resolve().parents[1] / "data" / "08_reporting" / "benchmarks" / "scaling.png"


class Growth(NamedTuple):
    """Seconds per call for each size, and the largest slope wanted."""

    label: str
    sizes: Sequence[int]
    timings: list[Timing]
    bound: float

    @property
    def slope(self) -> float:
        """Give d log seconds / d log size by least squares."""
        return statistics.linear_regression(
            [log(size) for size in self.sizes], [log(timing.seconds) for timing in self.timings]
        ).slope


def run(effort: Effort) -> Iterator[Outcome]:
    """Measure the three, and draw them."""
    growths = []
    for label, sizes, bind, bound in (
        ("chains", CHAIN_COUNTS, _with_chains, 1.1),
        ("centroids", CENTROID_COUNTS, _with_centroids, 1.1),
        ("batch", BATCHES, _with_batch, 1.0),
    ):
        growth = measure(label, sizes, bind, bound, effort)
        growths.append(growth)
        yield _outcome(growth)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    PLOT.write_bytes(draw(growths))


def measure(
    label: str, sizes: Sequence[int], bind: Callable[[int], Callable[[], object]], bound: float, effort: Effort
) -> Growth:
    """Time one kind of call at all sizes in turns."""
    times = compare({str(size): bind(size) for size in sizes}, effort.repeats, effort.tries)
    return Growth(label, sizes, [times[str(size)] for size in sizes], bound)


def draw(growths: Sequence[Growth]) -> bytes:
    """Draw milliseconds against size on logarithmic axes: a PNG."""
    with style.styled():
        figure = style.new_figure(3.2 * len(growths), 3.0)
        for growth, axes in zip(growths, figure.subplots(1, len(growths), squeeze=False)[0], strict=True):
            milliseconds = [1e3 * timing.seconds for timing in growth.timings]
            linear = [milliseconds[-1] * size / growth.sizes[-1] for size in growth.sizes]
            axes.loglog(growth.sizes, milliseconds, "o-", color=style.COLOURS[0], label=f"slope {growth.slope:.2f}")
            axes.loglog(growth.sizes, linear, "--", color=style.QUIET, label="linear")
            axes.set(title=_TITLES[growth.label], xlabel=growth.label, ylabel="ms", xticks=growth.sizes)
            axes.set_xticklabels([str(size) for size in growth.sizes])
            axes.minorticks_off()
            axes.legend()
        return style.to_png(figure)


_TITLES = {
    "chains": f"One MCMC step, {CENTROIDS} centroids",
    "centroids": f"One MCMC step, {CHAINS} chains",
    "batch": "One training step, MNIST nets",
}


def _outcome(growth: Growth) -> Outcome:
    pairs = zip(growth.sizes, growth.timings, strict=True)
    figures = {"slope": f"{growth.slope:.2f}"} | {
        f"at {size}": f"{1e3 * timing.seconds:.2f} ms" for size, timing in pairs
    }
    noisy = any(timing.contended for timing in growth.timings)
    return Outcome(f"scaling_{growth.label}", growth.bound / max(growth.slope, 1e-3), 1.0, figures, noisy)


def _with_chains(n: int) -> Callable[[], object]:
    return our_transition(draw_field(CENTROIDS), n)


def _with_centroids(n: int) -> Callable[[], object]:
    return our_transition(draw_field(n), CHAINS)


def _with_batch(n: int) -> Callable[[], object]:
    return bind_ours(configurations.MNIST_100._replace(batch=n))
