"""Every training of the grid: its key, what it needs, and its predictions, kept on disk."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from benchmarks.judge_validation.cohorts import Pool, Pools, StudyRows, draw_study
from benchmarks.judge_validation.planted import plant
from benchmarks.judge_validation.settings import USEFUL, USELESS, Settings
from cohortsmith.config.judge import Arm
from cohortsmith.imaging.atomic_write import write_json
from cohortsmith.models.classifier_batches import Labelled
from cohortsmith.models.classifier_training import ArmJob, run_arm

SHARED: tuple[Arm, ...] = ("real", "real+classic", "real+oversampling", "random-labels")
WITH_SYNTHETIC: tuple[Arm, ...] = ("synthetic", "real+synthetic")
GENERATORS = (USEFUL, *USELESS)


class Cell(NamedTuple):
    """One training: of which cohort and size, with whose images, how many per class, which arm, which seed."""

    cohort: int
    size: int
    generator: str
    dose: int
    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        """Give the name of the file that keeps its predictions."""
        arm = get_args(Arm).index(self.arm)
        who = self.generator.replace(" ", "_") or "shared"
        return f"cohort-{self.cohort}_n-{self.size}_{who}-{self.dose}_arm-{arm}_seed-{self.seed}.json"


def list_cells(settings: Settings) -> Iterator[Cell]:
    """List all trainings, whole cohorts one after the other: a run that is stopped leaves whole cohorts."""
    for cohort in range(settings.cohorts):
        for size in settings.sizes:
            yield from _cells_of(settings, cohort, size)


def doses_of(settings: Settings, generator: str) -> tuple[int, ...]:
    """Give how many images per class a generator is asked for."""
    return settings.doses if generator == USEFUL else settings.doses[-1:]


def finish(settings: Settings, pools: Pools, folder: Path, seconds: float) -> int:
    """Train what is missing until the processor time is spent; give how many were trained."""
    trained = 0
    for cell in list_cells(settings):
        path = folder / cell.name
        if path.exists():
            continue
        if time.process_time() >= seconds:
            break
        write_json(path, train(settings, pools, cell))
        trained += 1
        if trained % 100 == 0:
            print(f"{trained} trained, last {cell.name}", flush=True)
    return trained


def train(settings: Settings, pools: Pools, cell: Cell) -> dict[str, list[float]]:
    """Train one classifier; give its probabilities per test set."""
    study = draw_study(settings, pools, cell.cohort, cell.size)
    outcome = run_arm(job_of(settings, pools, study, cell))
    return {name: np.round(values, 5).tolist() for name, values in outcome.probabilities.items()}


def job_of(settings: Settings, pools: Pools, study: StudyRows, cell: Cell) -> ArmJob:
    """Put one training into the form that the pipeline's judge uses."""
    training, validation, test = (_labelled(pools.own, rows) for rows in (study.train, study.validation, study.test))
    tests = {"test": test, "external": _labelled(pools.external, study.external)}
    # every seed has a draw of its own, which its arms share
    random = np.random.default_rng([settings.phantom.seed, cell.cohort, cell.size, cell.seed])
    # a control of more draws from the real images takes only the numbers from here
    made = plant(cell.generator or "copies", cell.dose, pools.own, study, random)
    classic = settings.judge.classic
    return ArmJob(cell.arm, cell.seed, training, made, validation, tests, settings.classifier, classic)


def _cells_of(settings: Settings, cohort: int, size: int) -> Iterator[Cell]:
    for seed in range(settings.seeds):
        yield from (Cell(cohort, size, "", settings.doses[-1], arm, seed) for arm in SHARED)
        for generator in GENERATORS:
            for dose in doses_of(settings, generator):
                yield from (Cell(cohort, size, generator, dose, arm, seed) for arm in WITH_SYNTHETIC)


def _labelled(pool: Pool, rows: np.ndarray) -> Labelled:
    return Labelled(pool.images, pool.labels[rows], rows)
