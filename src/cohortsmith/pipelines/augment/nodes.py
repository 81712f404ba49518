"""Draw latent points by the learned geometry, decode them, write them as scans that say they are synthetic."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from cohortsmith.config.generator import SamplerConfig
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.execution import progress
from cohortsmith.fingerprints import fingerprint, seed_of
from cohortsmith.imaging.bids_tables import FolderDescription
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.volume import Volume
from cohortsmith.models.classifier_decoding import decode_in_blocks, decoder_of
from cohortsmith.models.fitted import reconstruct
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.sampling import count_blocks, draw_latents
from cohortsmith.records import TrackedRun
from cohortsmith.reporting.montage import reconstruction_montage, sample_montage

from .latent_figures import draw_latent_space

DECODED_AT_ONCE = 16  # images in memory


def describe_synthetic_folder(
    study: StudyConfig, generator: TrainedGenerator, copying: pd.DataFrame
) -> FolderDescription:
    """Say of the derivative folder that nobody in it exists, and which scans are in quarantine."""
    people = pd.DataFrame({"participant_id": copying["key"], "diagnosis": generator.label})
    people["quarantined"] = copying["flagged"].map({True: "true", False: "false"})
    return FolderDescription(
        f"{study.name}: synthetic {generator.label} scans",
        people,
        derivative=True,
        description=f"SYNTHETIC scans decoded by {_model_of(generator)}; no image shows a person",
        ignored=("*.png",),
    )


def draw_latent_points(
    generator: TrainedGenerator, sampler: SamplerConfig, seed: int
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw latent points (n, d), one chain each, with the chains' diagnostics."""
    # Every label gets a stream of its own: the hash of what the generator was made from.
    stream = torch.Generator().manual_seed(seed_of("draw", generator.fingerprint, seed))
    with progress(f"{generator.label}: draw latent points", count_blocks(sampler)) as advance:
        draws = draw_latents(generator.fitted, sampler, stream, on_block=advance)
    return _tabulate(draws.latents, generator.label, 0), draws.diagnostics


def draw_further_points(
    generator: TrainedGenerator, latents: pd.DataFrame, sampler: SamplerConfig, judge: JudgeConfig, seed: int
) -> pd.DataFrame:
    """Draw what classifiers see beyond the exported points: for them only, never exported.

    The exported draw (`draw` 0) is filled up to the largest number that `judge.n_synthetic` asks for, and every further
    draw has as many.
    """
    missing = {0: judge.doses[-1] - len(latents), **dict.fromkeys(range(1, judge.n_draws), judge.doses[-1])}
    wanted = {draw: sampler.model_copy(update={"n_samples": n}) for draw, n in missing.items() if n > 0}
    parts, first = [latents.iloc[:0].assign(draw=0)], len(latents)
    title, n_blocks = f"{generator.label}: draw further latent points", sum(map(count_blocks, wanted.values()))
    with progress(title, n_blocks) as advance:
        for draw, sampler_of_draw in wanted.items():
            stream = torch.Generator().manual_seed(seed_of("draw further", generator.fingerprint, seed, draw))
            points = draw_latents(generator.fitted, sampler_of_draw, stream, on_block=advance).latents
            parts.append(_tabulate(points, generator.label, first).assign(draw=draw))
            first += len(points)
    return pd.concat(parts, ignore_index=True)


def _tabulate(points: torch.Tensor, label: str, first: int) -> pd.DataFrame:
    table = pd.DataFrame(points.cpu().numpy(), columns=[f"z{axis}" for axis in range(points.shape[1])])
    table.insert(0, "key", [f"sub-syn{label}{first + index:05d}" for index in range(len(table))])
    return table


def decode_latent_points(generator: TrainedGenerator, latents: pd.DataFrame) -> Iterator[NDArray[np.float32]]:
    """Decode the latent points, a few at a time, to the bits that a classifier sees: (n, *shape) in [0, 1]."""
    points = torch.from_numpy(latents.drop(columns="key").to_numpy(dtype=np.float32, copy=True))
    decoder = decoder_of(generator.fitted)
    # An iterator, not a generator function: Kedro would save each chunk of the latter as a file of its own.
    chunks = (decode_in_blocks(decoder, chunk) for chunk in points.split(DECODED_AT_ONCE))
    return (np.asarray(image, dtype=np.float32) for chunk in chunks for image in chunk)


def write_synthetic_scans(
    generator: TrainedGenerator,
    latents: pd.DataFrame,
    images: NDArray[np.float32],
    grid: list[list[float]],
    seed: int,
    copying: pd.DataFrame,
    done: dict[str, Stored],
    prepared: dict[str, Stored],
) -> Iterator[dict[str, Stored | None]]:
    """Write each synthetic image as a scan that can be traced to model, seed and latent point.

    prepared: the study's scans; synthetic ones show skulls where these do.
    """
    stripped = bool(prepared) and all(scan.record.get("SkullStripped", False) for scan in prepared.values())
    flagged = dict(zip(copying["key"], copying["flagged"], strict=True))
    quarantined = {key: None if pd.isna(flag) else bool(flag) for key, flag in flagged.items()}  # None: not screened
    yield {key: None for key in done if key not in flagged}
    for key, *latent in latents.itertuples(index=False):
        mark = fingerprint("synthetic", generator.fingerprint, latent, quarantined[key], stripped)
        if key in done and done[key].record.get("Fingerprint") == mark:
            continue
        record = synthetic_record(generator, [float(value) for value in latent], seed)
        record |= {"SkullStripped": stripped, "Quarantined": quarantined[key], "Fingerprint": mark}
        index = int(key.removeprefix(f"sub-syn{generator.label}"))
        yield {key: Stored(record, Volume(_three_axes(images[index]), np.asarray(grid)))}


def synthetic_record(generator: TrainedGenerator, latent: list[float], seed: int) -> dict[str, Any]:
    """Describe one synthetic scan: what it is, which model, seed and latent point made it; never a source subject."""
    return {
        "Synthetic": True,
        "Description": "Synthetic scan drawn from a generative model: not an image of any person",
        "Diagnosis": generator.label,
        "Model": _model_of(generator),
        "Seed": seed,
        "Latent": latent,
    }


def track_generator(
    generator: TrainedGenerator,
    synthetic: NDArray[np.float32],
    images: NDArray[np.float32],
    splits: pd.DataFrame,
    diagnostics: dict[str, float],
) -> list[TrackedRun]:
    """Describe one generator's training and sampling as a child run, with what it makes of real scans and of none."""
    fitted, history = generator.fitted, generator.fitted.history
    rows = splits.index[(splits["diagnosis"] == generator.label) & (splits["split"] == "train")].to_numpy()[:4]
    originals = np.asarray(images[rows])
    return [
        TrackedRun(
            name=f"generator {generator.label}",
            params={
                "kind": "generator",
                "label": generator.label,
                "n_training": len(generator.subjects),
                "latent_dim": fitted.config.latent_dim,
                "seed": generator.seed,
            },
            metrics={f"chain.{name}": value for name, value in diagnostics.items() if np.isfinite(value)},
            curves={
                f"train.{name}": [float(getattr(row, name)) for row in history]
                for name in ("elbo", "reconstruction", "kl", "step_residual", "flow_shift")
            },
            figures={
                f"samples_{generator.label}.png": sample_montage(synthetic, generator.label),
                f"reconstructions_{generator.label}.png": reconstruction_montage(
                    originals, np.asarray(reconstruct(fitted, originals))
                ),
                **draw_latent_space(fitted, generator.label),
            },
        )
    ]


def _model_of(generator: TrainedGenerator) -> str:
    return f"{generator.fitted.config.kind} {generator.label} {generator.fingerprint}"


def _three_axes(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(image if image.ndim == 3 else image[:, :, None], dtype=np.float32)
