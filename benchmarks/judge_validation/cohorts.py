"""Phantom subjects on the model's grid, and studies drawn from them: training, validation, tests, new subjects."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.judge_validation.settings import Settings, count_validation
from cohortsmith.config.study import PhantomConfig
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.phantom.aligned import make_aligned
from cohortsmith.imaging.phantom.cohort import Study, draw_cohort
from cohortsmith.imaging.template import crop_grid


class Pool(NamedTuple):
    """Subjects of one scanner population: images (n, *shape) in [0, 1], labels (n,) 0 control, 1 patient."""

    images: np.ndarray
    labels: np.ndarray


class Pools(NamedTuple):
    """own: of the study's scanners. external: of other scanners."""

    own: Pool
    external: Pool


class StudyRows(NamedTuple):
    """Rows of the pool of own scanners; controls and patients alternate, so that a prefix is balanced.

    new: subjects whom the planted generators may draw, strangers to all others, the more the larger the pool.
    external: rows of the other pool.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    new: np.ndarray
    external: np.ndarray


def load_pools(settings: Settings, folder: Path) -> Pools:
    """Simulate the subjects, or read those that were simulated with the same settings."""
    sizes: dict[Study, int] = {"training": settings.pool, "external": settings.external_pool}
    return Pools(*(_load_pool(settings, study, 2 * size, folder) for study, size in sizes.items()))


def draw_study(settings: Settings, pools: Pools, cohort: int, size: int) -> StudyRows:
    """Draw one study of `size` training subjects per class; smaller studies of a cohort are nested in larger ones."""
    random = np.random.default_rng([settings.phantom.seed, cohort])
    own, external = (_alternate(pool.labels, random) for pool in pools)
    largest, test = max(settings.sizes), max(settings.tests)
    counts = {
        "train": (largest, size),
        "validation": (count_validation(largest), count_validation(size)),
        "test": (test, test),
    }
    rows, start = {}, 0
    for name, (reserved, taken) in counts.items():
        rows[name] = own[start : start + 2 * taken]
        start += 2 * reserved
    needed = start + 2 * max(settings.doses)
    if needed > len(own):
        raise ValueError(f"the pool has {len(own)} subjects, a study needs {needed}")
    return StudyRows(**rows, new=own[start:], external=external[: 2 * settings.external])


def _load_pool(settings: Settings, study: Study, n: int, folder: Path) -> Pool:
    config = settings.phantom.model_copy(update={"n_subjects": n, "n_external": n})
    path = folder / f"{study}-{fingerprint(config, settings.voxel)[:12]}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        images, labels = _simulate(config, study, n, settings.voxel)
        np.savez(path, images=images, labels=labels)
    with np.load(path) as stored:
        return Pool(stored["images"], stored["labels"])


def _simulate(config: PhantomConfig, study: Study, n: int, voxel: float) -> Pool:
    people, grid = draw_cohort(config, study), crop_grid(voxel)
    images = np.empty((n, *grid.shape), dtype=np.float32)
    for index in range(n):
        images[index] = make_aligned(config, study, index, people.iloc[index], grid).data
        if index % 200 == 199:
            print(f"{study}: {index + 1} of {n} subjects", flush=True)
    return Pool(images, (people["diagnosis"] == "AD").to_numpy(dtype=np.int64))


def _alternate(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    classes = [random.permutation(np.flatnonzero(labels == label)) for label in (0, 1)]
    n = min(map(len, classes))
    return np.stack([rows[:n] for rows in classes], axis=1).ravel()
