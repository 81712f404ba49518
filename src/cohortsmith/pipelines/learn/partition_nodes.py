"""The generators of all other partitions than the run's own: fitted, and sampled, in worker processes.

Beside the run's own generators these are of smaller training sets and of folds, and plain VAEs for the arm that draws
from a prior. Nothing of them is exported: classifiers decode their latent points.
"""

import io
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from cohortsmith.config.generator import SamplerConfig, VAEConfig
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.run import ExecutionConfig, RunConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.evaluation.partitions import partition_scans, splits_of
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import fingerprint, seed_of
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.generator_file import read_generator_file, read_provenance, write_generator
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.sampling import draw_latents

from .fits import PlannedFit, carry_out, plan_fit

Origin = Literal["synthetic", "prior"]
_OF: dict[Origin, tuple[str, ...]] = {"synthetic": ("synthetic", "real+synthetic"), "prior": ("real+vae-prior",)}


class PartitionJob(NamedTuple):
    """One generator to be fitted and sampled, n_draws times.

    folder: where its files are written; fingerprint: of its points.
    """

    partition: str
    origin: Origin
    plan: PlannedFit
    sampler: SamplerConfig
    n_draws: int
    folder: Path
    fingerprint: str


def make_partitions(
    split: SplitConfig, judge: JudgeConfig, splits: pd.DataFrame, folds: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Tabulate every partition that is judged, the run's own first."""
    others = [size for size in judge.training_sets if size != split.train_on]
    return partition_scans(splits, split, [f"train-{size}" for size in (split.train_on, *others)], folds)


def plan_partition_generators(
    parameters: dict[str, Any],
    images: NDArray[np.float32],
    splits: pd.DataFrame,
    partitions: pd.DataFrame,
    folder: Path,
) -> dict[str, PartitionJob]:
    """Plan every generator that the arms need and the run itself has not, in the order of the partitions."""
    config, jobs = RunConfig.read(parameters, "parameters"), {}
    for name, origin in _wanted(config, partitions):
        rows = partitions[partitions["partition"] == name]
        own, n_draws = splits_of(splits, rows), config.judge.n_draws if rows["fold"].isna().all() else 1
        for label in config.study.labels:
            model = config.generator if origin == "synthetic" else plain(config.generator)
            plan = plan_fit(_file(images), own, model, config.training, config.seed, label)
            key = f"{name}_{origin}_{label}"
            jobs[key] = _job(name, origin, plan, config, n_draws, folder / key)
    return jobs


def fit_partition_generators(
    jobs: dict[str, PartitionJob], done: dict[str, Stored], splits: pd.DataFrame, execution: ExecutionConfig
) -> Iterator[dict[str, Stored | None]]:
    """Fit and sample every planned generator, unless the same one is there; save each the moment it is done.

    What other configurations trained stays, unless it saw a subject who is not in the study any more.

    Raises:
        CohortsmithError: the first one that stopped a training, once all others are saved.
    """
    # Another study may use the same ids for other people.
    yield _remove_withdrawn(jobs, done, set(splits.loc[splits["split"] != "external", "participant_id"]))
    todo = {key: (job,) for key, job in jobs.items() if not _is_there(job, done.get(key))}
    title, failed = "train generators of all partitions", []
    memory_gb = max((_memory_gb(job) for (job,) in todo.values()), default=0.0)
    for outcome in run_items(fit_and_draw, todo, execution=execution, title=title, memory_gb=memory_gb):
        if outcome.error:
            failed.append(outcome.error)
            continue
        yield {outcome.key: _stored(jobs[outcome.key], outcome.value)}
    if failed:
        raise failed[0]


def plain(config: VAEConfig) -> VAEConfig:
    """Give the plain VAE with the same network, latent space and likelihood."""
    shared = {name: getattr(config, name) for name in VAEConfig.model_fields}
    return VAEConfig(**{**shared, "kind": "vae"})


def fit_and_draw(job: PartitionJob) -> dict[str, Any]:
    """Fit one generator in a worker process, which writes its file, and draw its points (n_draws, n, d)."""
    path = job.folder / "generator.safetensors"
    known = read_provenance(path)
    if known is not None and known["fingerprint"] == job.plan.fingerprint:
        trained = read_generator_file(path)
    else:
        trained = carry_out(job.plan, job.folder / "training")
        write_generator(path, trained)
    draws = [draw_latents(trained.fitted, job.sampler, stream) for stream in _streams(job, trained)]
    points = np.stack([draw.latents.cpu().numpy() for draw in draws]).astype(np.float32)
    return {"points": points, "diagnostics": draws[0].diagnostics}


def _streams(job: PartitionJob, trained: TrainedGenerator) -> Iterator[torch.Generator]:
    """Give every draw of every generator a stream of its own: how many draws there are changes none of them."""
    identity = (job.origin, trained.fingerprint, trained.seed)
    yield torch.Generator().manual_seed(seed_of("draw", *identity))
    for draw in range(1, job.n_draws):
        yield torch.Generator().manual_seed(seed_of("draw further", *identity, draw))


def _wanted(config: RunConfig, partitions: pd.DataFrame) -> Iterator[tuple[str, Origin]]:
    for name in partitions["partition"].unique():
        for origin, arms in _OF.items():
            is_there = origin == "synthetic" and name == f"train-{config.split.train_on}"
            if not is_there and set(arms) & set(config.judge.arms):
                yield str(name), origin


def _job(name: str, origin: Origin, plan: PlannedFit, config: RunConfig, n_draws: int, folder: Path) -> PartitionJob:
    drawn = config.sampler if origin == "synthetic" else SamplerConfig(kind="prior")
    sampler = drawn.model_copy(update={"n_samples": config.judge.doses[-1]})
    mark = fingerprint("points", plan.fingerprint, sampler, origin, n_draws)
    return PartitionJob(name, origin, plan, sampler, n_draws, folder, mark)


def _remove_withdrawn(
    jobs: dict[str, PartitionJob], done: dict[str, Stored], subjects: set[str]
) -> dict[str, Stored | None]:
    withdrawn = {
        key: stored for key, stored in done.items() if key not in jobs and set(stored.record["subjects"]) - subjects
    }
    for key, stored in withdrawn.items():
        shutil.rmtree(Path(stored.path).with_name(key), ignore_errors=True)
    return dict.fromkeys(withdrawn)


def _is_there(job: PartitionJob, known: Stored | None) -> bool:
    if known is None or known.record.get("fingerprint") != job.fingerprint:
        return False
    # A later run may have been stopped between a generator of its own and that one's points.
    there = read_provenance(job.folder / "generator.safetensors")
    return there is not None and there["fingerprint"] == job.plan.fingerprint


def _stored(job: PartitionJob, value: dict[str, Any]) -> Stored:
    content = io.BytesIO()
    np.save(content, value["points"], allow_pickle=False)
    record = {
        "partition": job.partition,
        "origin": job.origin,
        "label": job.plan.label,
        "generator": job.plan.fingerprint,
        "subjects": list(job.plan.subjects),
        "diagnostics": {name: number for name, number in value["diagnostics"].items() if math.isfinite(number)},
        "fingerprint": job.fingerprint,
    }
    return Stored(record, files={"points.npy": content.getvalue()})


def _file(images: NDArray[np.float32]) -> Path:
    # A memory map would travel to the worker with all its voxels; its file name does not.
    return Path(str(images.filename))  # type: ignore[attr-defined]


def _memory_gb(job: PartitionJob) -> float:
    """Reckon what a fit needs: weights, gradients, two moments and a kept copy in float32, of the widest layers."""
    shape = np.load(job.plan.images, mmap_mode="r", allow_pickle=False).shape[1:]
    network = job.plan.config.network
    return 1.0 + 5 * 4 * math.prod(shape) * (2 * network.hidden[0] + network.metric_hidden[0]) / 2**30
