"""The grid of trainings: partition x network x arm x seed; and the part of it that needs no generator."""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.classifier import ClassifierConfig, NeuralNetworkConfig, read_classifier
from cohortsmith.config.judge import MIXED, JudgeConfig, NamedArm
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import ImageSet, Labelled
from cohortsmith.models.classifier_training import ArmJob

from .leak_nodes import refuse_leaks
from .sources import ORIGINS, PRIOR, Sources, latents_of, mark_of

TESTS = ("test", "external")
N_LABELS = 2
_ROUNDING = "slabs, blocks of 16"  # how sums are taken and batches drawn: by others a training ends elsewhere
Networks = dict[str, ClassifierConfig]


class PlannedJob(NamedTuple):
    """One training to be done, what its record says of it, and the fingerprint of everything that it depends on.

    weights: the file that keeps the network, if it is kept. subjects: whom it sees, to select its weights, too.
    """

    job: ArmJob
    fingerprint: str
    about: dict[str, Any]
    weights: Path | None = None
    subjects: tuple[str, ...] = ()


class _Partition(NamedTuple):
    """One partition's images by set, its row of names, a hash of who is where, and whom networks see."""

    about: dict[str, Any]
    sets: dict[str, Labelled]
    mark: str
    subjects: tuple[str, ...]


class _Made(NamedTuple):
    """The images that an arm has beside real ones, and their hash."""

    synthetic: ImageSet | None = None
    prior: ImageSet | None = None
    mark: str = "real scans only"


def choose_networks(classifier: dict[str, Any], judge: JudgeConfig, searched: dict[str, Any] | None = None) -> Networks:
    """Name the classifiers that are trained; searched: what a random search chose, if one was made."""
    optimised = judge.optimised if searched is None else read_classifier(searched)
    networks = {"baseline": read_classifier(classifier)}
    return networks if optimised is None else {**networks, "optimised": optimised}


def plan_early_classifiers(
    study: StudyConfig,
    judge: JudgeConfig,
    networks: Networks,
    splits: pd.DataFrame,
    partitions: pd.DataFrame,
    images: NDArray[np.float32],
    folder: Path,
) -> dict[str, PlannedJob]:
    """Plan the trainings that need neither generators nor the end of a random search; networks: known without it.

    Raises:
        LeakageError: a subject is on two sides of a partition.
    """
    refuse_leaks(study, partitions, {})
    nets = tuple(net for net in judge.nets if net in networks)
    arms = tuple(arm for arm in judge.arms if arm not in ORIGINS)
    early = judge.model_copy(update={"nets": nets, "arms": arms})
    return plan_classifiers(study, early, networks, splits, partitions, images, {}, folder)


def plan_classifiers(
    study: StudyConfig,
    judge: JudgeConfig,
    networks: Networks,
    splits: pd.DataFrame,
    partitions: pd.DataFrame,
    images: NDArray[np.float32],
    sources: Sources,
    folder: Path,
) -> dict[str, PlannedJob]:
    """Plan every training, seed by seed; folder: of kept weights."""
    own = [_partition(study, splits, rows, images) for _, rows in partitions.groupby("partition", sort=False)]
    making, planned = cache(partial(_make, sources)), {}
    for part, net, named, index in _in_turn(judge, own):
        name, seed = part.about["partition"], judge.first_seed + index
        # A fold has one run of each arm, and one draw.
        draw = index % judge.n_draws if part.about["fold"] is None else 0
        made = making(named, name, draw)
        job = _job(part, networks[net], named, seed, made, judge)
        about = {**part.about, "net": net, "arm": named.name, "n_synthetic": named.n_synthetic, "seed": seed}
        key = f"{name}_net-{net}_arm-{named.name.replace('+', 'And')}_seed-{seed}"
        is_kept = named in judge.kept_arms and isinstance(job.config, NeuralNetworkConfig)
        weights = folder / f"{key}.safetensors" if is_kept else None
        planned[key] = PlannedJob(job, _mark(job, about, part.mark, made.mark), about, weights, part.subjects)
    return planned


def count_trainings(judge: JudgeConfig, partitions: pd.DataFrame) -> int:
    """Count the trainings of the whole grid: every seed of a training set, and one run of a fold."""
    names = partitions.drop_duplicates("partition")
    runs = np.where(names["repeat"].isna(), judge.n_seeds, 1).sum()
    return int(runs) * len(judge.nets) * len(judge.named_arms)


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
    seen = rows.loc[rows["split"].isin(["train", "validation"]), "participant_id"]
    return _Partition(about, sets, fingerprint(study.labels, where, prints), tuple(sorted(set(seen))))


def _labelled(images: NDArray[np.float32], rows: pd.DataFrame, study: StudyConfig) -> Labelled:
    labels = (rows["diagnosis"] == study.labels[1]).to_numpy(dtype=np.int64)
    # A memory map would travel to the worker with all its voxels; its file name does not.
    return Labelled(Path(str(images.filename)), labels, rows["row"].to_numpy())  # type: ignore[attr-defined]


def _make(sources: Sources, named: NamedArm, partition: str, draw: int) -> _Made:
    if named.arm == "real+oversampling":
        # Copies of real images: only how many there are counts.
        pattern = Labelled(np.empty(0, dtype=np.float32), np.repeat(np.arange(2), named.n_synthetic))
        return _Made(synthetic=pattern, mark=f"{named.n_synthetic} copies")
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
    real, validation = part.sets["train"], part.sets["validation"]
    made_of = (real, made.synthetic, validation, tests, config, judge.classic, made.prior)
    return ArmJob(named.arm, seed, *made_of, judge.mixture)


def _mark(job: ArmJob, about: dict[str, Any], subjects: str, made: str) -> str:
    varied = job.classic if job.arm == "real+classic" else None
    mixture = [job.mixture] if job.mixture != "half" and job.arm in MIXED else []
    return fingerprint("classify", _ROUNDING, about, job.config, varied, made, subjects, *mixture)
