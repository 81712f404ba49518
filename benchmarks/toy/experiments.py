"""Reproduce the thesis's tables on toy data: `python -m benchmarks.toy [likelihood generation clustering]`.

Finished jobs are kept, so that a run that was stopped goes on where it was.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.toy import clustering, generation, likelihood, tables
from benchmarks.toy.images import ROOT, toy_folder
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.atomic_write import write_json

SEEDS = range(5)
OUTPUT = ROOT / "data" / "08_reporting" / "toy"
Jobs = dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.toy", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*_EXPERIMENTS, []], help="which; all without any")
    arguments = parser.parse_args()
    if not toy_folder().is_dir():
        print(f"no toy data in {toy_folder()}: set COHORTSMITH_SHARED to the folder that holds data/toy")
        return 2
    for name in arguments.names or _EXPERIMENTS:
        jobs, show = _EXPERIMENTS[name]
        results = _finish(name, jobs())
        print(f"\n{show(results, OUTPUT)}\n", flush=True)
    return 0


def run_job(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)


def _finish(name: str, jobs: Jobs) -> dict[str, Any]:
    """Run what is not there yet; give every job's result by its key."""
    files = {key: OUTPUT / "jobs" / f"{name}-{mark}.json" for key, (_, _, mark) in jobs.items()}
    missing = {key: job[:2] for key, job in jobs.items() if not files[key].is_file()}
    for outcome in run_items(run_job, missing, workers=0, title=f"toy: {name}"):
        if outcome.error is not None:
            raise outcome.error
        write_json(files[outcome.key], {"key": outcome.key, "result": outcome.value})
    return {key: json.loads(file.read_text())["result"] for key, file in files.items()}


def _likelihood_jobs() -> Jobs:
    def made_of(model: str) -> list[Any]:
        return [likelihood.MODELS[model], likelihood.TRAINING, likelihood.N_DRAWS, likelihood.N_UNSEEN]

    return dict(
        _job(f"{model} {seed}", likelihood.evaluate, (model, seed), *made_of(model))
        for model in likelihood.MODELS
        for seed in SEEDS
    )


def _generation_jobs() -> Jobs:
    def made_of(model: str) -> list[Any]:
        arms = {name: arm for name, arm in generation.ARMS.items() if arm.model == model}
        return [generation.MODELS[model], generation.TRAINING, arms, generation.SETTINGS]

    return dict(_generation(made_of))


def _generation(made_of: Callable[[str], list[Any]]) -> Iterator[tuple[str, Any]]:
    for seed in SEEDS:
        yield _job(f"baseline {seed}", generation.baseline, (seed,), generation.SETTINGS)
    for model in reversed(generation.MODELS):
        for seed in SEEDS:
            yield _job(f"{model} {seed}", generation.evaluate, (model, seed), *made_of(model))


def _clustering_jobs() -> Jobs:
    return dict(
        _job(f"rhvae {seed}", clustering.evaluate, (seed,), clustering.MODEL, clustering.TRAINING) for seed in SEEDS
    )


def _job(
    key: str, function: Callable[..., Any], arguments: tuple[Any, ...], *made_of: Any
) -> tuple[str, tuple[Callable[..., Any], tuple[Any, ...], str]]:
    return key, (function, arguments, fingerprint(key, arguments, *made_of))


_EXPERIMENTS: dict[str, tuple[Callable[[], Jobs], Callable[..., str]]] = {
    "likelihood": (_likelihood_jobs, tables.show_likelihood),
    "clustering": (_clustering_jobs, tables.show_clustering),
    "generation": (_generation_jobs, tables.show_generation),
}
