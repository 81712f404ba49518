"""A grid of 1000 classifier runs in a fresh SQLite store: seconds to log and to load, beside MLflow's fluent calls.

`python -m benchmarks.tracking --keep folder` leaves the store of the grid there, to be looked at with `mlflow ui`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
import numpy as np

from benchmarks.outcome import QUICK, Effort, Outcome
from cohortsmith import tracking
from cohortsmith.records import TrackedRun

RUNS = 1000
LOADED_WITHIN, LOGGED_WITHIN = 10.0, 300.0  # seconds: what a person waits for; what hours of training can bear
DOSES = (500, 1000, 2000, 3000, 5000)
ARMS = ("real", "real+classic", *(f"{arm}-{dose}" for arm in ("synthetic", "real+synthetic") for dose in DOSES))
SETTINGS = tuple(product(("train-50", "train-full"), ("baseline", "optimised")))
EVALUATIONS = 50
FLUENT_RUNS = 10  # the peer logs so many only, and its time is multiplied: all would take an hour
METRICS = ("balanced_accuracy", "sensitivity", "specificity", "auc", "ppv", "npv", "f1", "mcc", "brier")


def run(effort: Effort) -> Iterator[Outcome]:
    children = draw_grid(RUNS // 10 if effort == QUICK else RUNS)
    with tempfile.TemporaryDirectory(prefix="cohortsmith-tracking-") as folder:
        store, parent, logged = log_grid(Path(folder), children)
        loaded = min(load_seconds(store, parent, len(children)) for _ in range(effort.repeats))
        fluent = log_fluently(Path(folder), children[:FLUENT_RUNS]) * len(children) / FLUENT_RUNS
    figures = {
        "runs": str(len(children)),
        "ours": f"{logged:.1f} s",
        "fluent calls": f"{fluent:.0f} s (from {FLUENT_RUNS} runs)",
    }
    yield Outcome("tracking_log_against_fluent", fluent / logged, 2, figures)
    share = len(children) / RUNS
    yield Outcome(
        "tracking_log_a_grid", share * LOGGED_WITHIN / logged, 1, {"allowed": f"{share * LOGGED_WITHIN:.0f} s"}
    )
    yield Outcome("tracking_load_a_grid", share * LOADED_WITHIN / loaded, 1, {"ours": f"{loaded:.2f} s"})


def draw_grid(n: int) -> list[TrackedRun]:
    """Draw n runs of classifiers: settings by arms by seeds, with curves."""
    random = np.random.default_rng(1)
    places = product(range(n), SETTINGS, ARMS)
    return [_drawn(seed, *setting, arm, random) for (seed, setting, arm), _ in zip(places, range(n), strict=False)]


def _drawn(seed: int, training_set: str, net: str, arm: str, random: np.random.Generator) -> TrackedRun:
    dose = int(arm.rpartition("-")[2]) if arm[-1].isdigit() else 0
    gain = 0.03 * np.log10(1 + dose) * (1.4 if training_set == "train-50" else 0.6)
    base = {"train-50": 0.66, "train-full": 0.78}[training_set] + 0.05 * (net == "optimised") + gain
    scores = {f"{test_set}.{name}": float(random.normal(base, 0.02)) for name in METRICS for test_set in TEST_SETS}
    rise = 1 - np.exp(-np.arange(EVALUATIONS) / 10)
    return TrackedRun(
        name=f"classifier {training_set} {net} {arm} seed {seed}",
        params={
            "kind": "classifier",
            "study": "grid",
            "training_set": training_set,
            "net": net,
            "arm": arm,
            "n_synthetic": dose,
            "seed": seed,
            "external_test_set": "external",
            "labels": "CN-AD",
            "classifier": "custom",
            "optimizer_steps": 2000,
        },
        metrics=scores,
        curves={
            "train.loss": (0.7 - 0.5 * rise + random.normal(0, 0.01, EVALUATIONS)).tolist(),
            "validation.balanced_accuracy": (0.5 + (base - 0.5) * rise).tolist(),
        },
        tags={"arm": arm},
    )


TEST_SETS = ("test", "external")


def log_grid(folder: Path, children: Sequence[TrackedRun]) -> tuple[tracking.Store, str, float]:
    """Log as a run of the project does; give the store, the parent's id and the seconds."""
    store = tracking.open_store(f"sqlite:///{folder}/mlflow.db", "grid", f"{folder}/artifacts")
    parent = tracking.start_parent(store, "grid", {"seed": 1}, {})
    seconds = _seconds(lambda: [parent.publish(child) for child in children])
    parent.end("FINISHED")
    return store, parent.run_id, seconds


def load_seconds(store: tracking.Store, parent: str, expected: int) -> float:
    """Time one query for all children with their parameters and metrics, as the user interface asks for them."""
    found: list[object] = []
    query = f"tags.`mlflow.parentRunId` = '{parent}'"
    seconds = _seconds(lambda: found.extend(store.client.search_runs([store.experiment_id], query, max_results=RUNS)))
    assert len(found) == expected
    return seconds


def log_fluently(folder: Path, children: Sequence[TrackedRun]) -> float:
    """Log the same runs by the calls of MLflow's own examples, one by one; give the seconds."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("fluent")
    with mlflow.start_run():
        return _seconds(lambda: [_log_fluently(child) for child in children])


def _log_fluently(child: TrackedRun) -> None:
    with mlflow.start_run(run_name=child.name, nested=True):
        mlflow.log_params(child.params)
        for name, value in child.metrics.items():
            mlflow.log_metric(name, value)
        for name, values in child.curves.items():
            for step, value in enumerate(values):
                mlflow.log_metric(name, value, step=step)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.tracking", description=__doc__)
    parser.add_argument("--keep", type=Path, required=True)
    folder = parser.parse_args().keep.absolute()
    folder.mkdir(parents=True)
    store, parent, seconds = log_grid(folder, draw_grid(RUNS))
    print(f"logged in {seconds:.1f} s, loaded in {load_seconds(store, parent, RUNS):.2f} s")
    print(f"mlflow ui --backend-store-uri sqlite:///{folder}/mlflow.db")


if __name__ == "__main__":
    main()
