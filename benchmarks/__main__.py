"""Run the benchmarks named, or all of them: `python -m benchmarks [--quick] [name ...]`."""

import argparse
import importlib
import math
import os

# As the peers' users have it, for ours too, which it can only slow down; `classifier` measures either way.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "0")

import torch

from benchmarks.outcome import FULL, QUICK, Outcome

BENCHMARKS = (
    "training_step",
    "sampler",
    "memory",
    "decoding_memory",
    "scaling",
    "classifier",
    "classifier_two_cores",
    "ingestion",
    "preparation",
    "tracking",
)
THREADS = 2  # as the reference figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(BENCHMARKS)}; all without any")
    parser.add_argument("--quick", action="store_true", help="few repeats")
    arguments = parser.parse_args()
    unknown = sorted({*arguments.names} - {*BENCHMARKS})
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    torch.set_num_threads(THREADS)
    _run(arguments.names or BENCHMARKS, arguments.quick)


def _run(names: tuple[str, ...], quick: bool) -> None:
    outcomes: list[Outcome] = []
    for name in names:
        print(f"{name} ...", flush=True)
        for outcome in importlib.import_module(f"benchmarks.{name}").run(QUICK if quick else FULL):
            outcomes.append(outcome)
            print(_row(outcome), flush=True)
    print()
    for outcome in outcomes:
        if not math.isnan(outcome.measured):
            print(f"ratio {outcome.name} {outcome.measured:.3g} {outcome.target:.3g}")


def _row(outcome: Outcome) -> str:
    figures = ", ".join(f"{label} {figure.strip()}" for label, figure in outcome.figures.items())
    if math.isnan(outcome.measured):
        return f"skipped {outcome.name}: {figures}"
    verdict = "met   " if outcome.measured >= outcome.target else "MISSED"
    noise = "  [contended]" if outcome.contended else ""
    return f"{verdict} {outcome.name:<42} {outcome.measured:8.3g} (target {outcome.target:g})  {figures}{noise}"


if __name__ == "__main__":
    main()
