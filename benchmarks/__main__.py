"""Run the benchmarks named, or all but the largest: `python -m benchmarks [--quick] [training_step sampler ...]`."""

import argparse
import importlib

import torch

from benchmarks.outcome import FULL, QUICK, Outcome

ORDINARY = ("training_step", "sampler", "memory", "scaling")
THREADS = 2  # as the reference figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ORDINARY, []], help="which; all without any")
    parser.add_argument("--quick", action="store_true", help="few repeats")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    outcomes: list[Outcome] = []
    for name in arguments.names or ORDINARY:
        for outcome in importlib.import_module(f"benchmarks.{name}").run(QUICK if arguments.quick else FULL):
            outcomes.append(outcome)
            print(f"ratio {outcome.name} {outcome.measured:.3g} {outcome.target:.3g}", flush=True)
    print()
    for outcome in outcomes:
        print(_row(outcome))


def _row(outcome: Outcome) -> str:
    verdict = "met   " if outcome.measured >= outcome.target else "MISSED"
    figures = ", ".join(f"{label} {figure.strip()}" for label, figure in outcome.figures.items())
    noise = "  [contended]" if outcome.contended else ""
    return f"{verdict} {outcome.name:<44} {outcome.measured:8.3g} (target {outcome.target:g})  {figures}{noise}"


if __name__ == "__main__":
    main()
