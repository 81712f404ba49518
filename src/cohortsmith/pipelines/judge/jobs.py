"""The grid of trainings: partition x network x arm x seed, early runs of every arm first."""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.classifier import ClassifierConfig, read_classifier
from cohortsmith.config.judge import MIXED, JudgeConfig, NamedArm
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import ImageSet, Labelled
from cohortsmith.models.classifier_training import ArmJob

from .sources import ORIGINS, PRIOR, SYNTHETIC, Sources, latents_of, mark_of

TESTS = ("test", "external")
GAN_TEST, MOST_SEEN = "synthetic", 200  # the synthetic images, per label, that the real arm's networks are tested on
N_LABELS = 2
Networks = dict[str, ClassifierConfig]


class PlannedJob(NamedTuple):
    """One training to be done, what its record says of it, and the fingerprint of everything that it depends on."""

    job: ArmJob
    fingerprint: str
    about: dict[str, Any]


class _Partition(NamedTuple):
    """One partition's images by set, its row of names, and a hash of who is where."""

    about: dict[str, Any]
    sets: dict[str, Labelled]
    mark: str


class _Made(NamedTuple):
    """The images that an arm has beside real ones, those that it is only tested on, and their hash."""

    synthetic: ImageSet | None = None
    prior: ImageSet | None = None
    mark: str = "real scans only"
    seen: ImageSet | None = None


def choose_networks(classifier: dict[str, Any], judge: JudgeConfig, searched: dict[str, Any] | None = None) -> Networks:
    """Name the classifiers that are trained; searched: what a random search chose, if one was made."""
    optimised = judge.optimised if searched is None else read_classifier(searched)
    networks = {"baseline": read_classifier(classifier)}
    return networks if optimised is None else {**networks, "optimised": optimised}


def plan_classifiers(
    study: StudyConfig,
    judge: JudgeConfig,
    networks: Networks,
    splits: pd.DataFrame,
    partitions: pd.DataFrame,
    images: NDArray[np.float32],
    sources: Sources,
    lineage: pd.DataFrame,
) -> dict[str, PlannedJob]:
    """Plan every training, seed by seed. `lineage` only orders this node after the refusal of leaks."""
    own = [_partition(study, splits, rows, images) for _, rows in partitions.groupby("partition", sort=False)]
    making = cache(partial(_make, sources))
    planned = {}
    for part, net, named, index in _in_turn(judge, own):
        name, seed = part.about["partition"], judge.first_seed + index
        # A fold has one run of each arm, and one draw.
        draw = index % judge.n_draws if part.about["fold"] is None else 0
        made = making(named, name, draw)
        job = _job(part, networks[net], named, seed, made, judge)
        about = {**part.about, "net": net, "arm": named.name, "n_synthetic": named.n_synthetic, "seed": seed}
        arm = named.name.replace("+", "And")
        planned[f"{name}_net-{net}_arm-{arm}_seed-{seed}"] = PlannedJob(
            job, _mark(job, about, part.mark, made.mark), about
        )
    return planned


def is_current(planned: PlannedJob, run: Stored | None) -> bool:
    """Say whether a run is the planned one."""
    return run is not None and run.record.get("fingerprint") == planned.fingerprint


def _in_turn(judge: JudgeConfig, partitions: list[_Partition]) -> Iterator[tuple[_Partition, str, NamedArm, int]]:
    """Go through the grid, run by run: whenever it is stopped, every arm has about as many runs as any other."""
    repeats = max([int(part.about["repeat"]) + 1 for part in partitions if part.about["repeat"] is not None] or [0])
    for index in range(max(judge.n_seeds, repeats)):
        for part in partitions:
            repeat = part.about["repeat"]
            if index == repeat or (repeat is None and index < judge.n_seeds):
                for net in judge.nets:
                    for named in judge.named_arms:
                        yield part, net, named, index


def _partition(study: StudyConfig, splits: pd.DataFrame, rows: pd.DataFrame, images: NDArray[np.float32]) -> _Partition:
    first = rows.iloc[0]
    numbers = {name: None if pd.isna(first[name]) else int(first[name]) for name in ("repeat", "fold")}
    about = {"partition": str(first["partition"]), "training_set": str(first["training_set"]), **numbers}
    sets = {str(name): _labelled(images, part, study) for name, part in rows.groupby("split")}
    prints = splits["fingerprint"].iloc[rows["row"]].tolist()
    where = rows[["key", "split", "diagnosis"]].to_dict("list")
    return _Partition(about, sets, fingerprint(study.labels, where, prints))


def _labelled(images: NDArray[np.float32], rows: pd.DataFrame, study: StudyConfig) -> Labelled:
    labels = (rows["diagnosis"] == study.labels[1]).to_numpy(dtype=np.int64)
    # A memory map would travel to the worker with all its voxels; its file name does not.
    return Labelled(Path(str(images.filename)), labels, rows["row"].to_numpy())  # type: ignore[attr-defined]


def _make(sources: Sources, named: NamedArm, partition: str, draw: int) -> _Made:
    if named.arm == "real+oversampling":
        # Copies of real images: only how many there are counts.
        pattern = Labelled(np.empty(0, dtype=np.float32), np.repeat(np.arange(2), named.n_synthetic))
        return _Made(synthetic=pattern, mark=f"{named.n_synthetic} copies")
    if named.arm == "real" and (partition, SYNTHETIC) in sources:
        tested = sources[partition, SYNTHETIC]
        # The same images for every seed, as networks are compared on the same test subjects.
        return _Made(seen=latents_of(tested, MOST_SEEN), mark=mark_of(tested, MOST_SEEN))
    origin = ORIGINS.get(named.arm)
    if origin is None:
        return _Made()
    chosen = sources.get((partition, origin), ())
    if len(chosen) != N_LABELS:
        raise StudyError(
            "the generators of a training set or fold are not there yet",
            where=partition,
            got=f"{len(chosen)} of {N_LABELS} ({origin})",
            remedy="let the run go on until classifiers are trained",
        )
    latents, mark = (of(chosen, named.n_synthetic, draw) for of in (latents_of, mark_of))
    return _Made(prior=latents, mark=mark) if origin == PRIOR else _Made(synthetic=latents, mark=mark)


def _job(
    part: _Partition, config: ClassifierConfig, named: NamedArm, seed: int, made: _Made, judge: JudgeConfig
) -> ArmJob:
    tests: dict[str, ImageSet] = {name: part.sets[name] for name in TESTS if name in part.sets}
    tests |= {GAN_TEST: made.seen} if made.seen is not None else {}
    real, validation = part.sets["train"], part.sets["validation"]
    made_of = (real, made.synthetic, validation, tests, config, judge.classic, made.prior)
    return ArmJob(named.arm, seed, *made_of, judge.mixture)


def _mark(job: ArmJob, about: dict[str, Any], subjects: str, made: str) -> str:
    varied = job.classic if job.arm == "real+classic" else None
    mixture = [job.mixture] if job.mixture != "half" and job.arm in MIXED else []
    return fingerprint("classify", about, job.config, varied, made, subjects, *mixture)
