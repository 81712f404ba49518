"""Where each partition's synthetic images come from: a generator's file and latent points, decoded when drawn."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from cohortsmith.config.judge import Arm, JudgeConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import Latents
from cohortsmith.models.classifier_decoding import decoder_of_file
from cohortsmith.models.generator_file import read_provenance

SYNTHETIC, PRIOR = "synthetic", "prior"
ORIGINS: dict[Arm, str] = {"synthetic": SYNTHETIC, "real+synthetic": SYNTHETIC, "real+vae-prior": PRIOR}


class Source(NamedTuple):
    """One diagnosis' synthetic images in one partition.

    origin: synthetic, or prior (of a plain VAE). generator: its file; mark: its fingerprint. draws: latent points
    (n, d) of each. subjects: participant ids that the generator saw.
    """

    partition: str
    origin: str
    label: str
    generator: Path
    mark: str
    draws: tuple[NDArray[np.float32], ...]
    subjects: tuple[str, ...]


Sources = dict[tuple[str, str], tuple[Source, ...]]
"""Partition and origin -> one source per label, controls first."""


def gather_sources(
    study: StudyConfig,
    split: SplitConfig,
    judge: JudgeConfig,
    partitions: pd.DataFrame,
    records: dict[str, Stored],
    *own: Any,
) -> Sources:
    """Gather the sources of all partitions.

    records: of the generators of other partitions, and what other configurations left. own: of the run's own partition,
    label by label: folder of the generator's file, latent points, further points, table of the screen for copies.

    Raises:
        StudyError: flagged images are excluded, and a label has too few others; a generator is not that of its points.
    """
    gathered: dict[tuple[str, str], list[Source]] = {}
    main = f"train-{split.train_on}"
    parts = [own[start : start + 4] for start in range(0, len(own), 4)]
    gathered[main, SYNTHETIC] = [_own(main, judge, *part) for part in parts]
    if judge.quarantine == "exclude":
        _refuse_too_few(gathered[main, SYNTHETIC], [part[3] for part in parts], judge.doses[-1])
    wanted = set(product(partitions["partition"].unique(), origins_of(judge.arms))) - {(main, SYNTHETIC)}
    needed = {key: one for key, one in records.items() if (one.record["partition"], one.record["origin"]) in wanted}
    stored = [_read(key, one) for key, one in needed.items()]
    by_label = sorted(stored, key=lambda source: study.labels.index(source.label))
    for source in by_label:
        gathered.setdefault((source.partition, source.origin), []).append(source)
    return {key: tuple(sources) for key, sources in gathered.items()}


def origins_of(arms: Iterable[Arm]) -> set[str]:
    """Name where the synthetic images of these arms come from."""
    return {ORIGINS[arm] for arm in arms if arm in ORIGINS}


def latents_of(sources: Sequence[Source], n: int, draw: int = 0) -> Latents:
    """Give the first n points of each label (or as many as the label with the fewest has), controls first."""
    points = _points_of(sources, n, draw)
    control, patient = (decoder_of_file(source.generator, source.mark) for source in sources)
    labels = np.repeat(np.arange(len(points)), len(points[0]))
    return Latents(torch.from_numpy(np.concatenate(points)), labels, (control, patient))


def mark_of(sources: Sequence[Source], n: int, draw: int = 0) -> str:
    """Hash what `latents_of` gives."""
    points = _points_of(sources, n, draw)
    return fingerprint([[source.mark, one.astype(float).tolist()] for source, one in zip(sources, points, strict=True)])


def _points_of(sources: Sequence[Source], n: int, draw: int) -> list[NDArray[np.float32]]:
    drawn = [source.draws[draw] for source in sources]
    return [points[: min(n, *map(len, drawn))] for points in drawn]


def _own(
    main: str,
    judge: JudgeConfig,
    folder: Path,
    latents: pd.DataFrame,
    further: pd.DataFrame,
    copying: pd.DataFrame,
) -> Source:
    kept = latents[copying["flagged"].eq(False).to_numpy()] if judge.quarantine == "exclude" else latents
    # What follows the exported points was never screened.
    table = kept.assign(draw=0) if judge.quarantine == "exclude" else pd.concat([kept.assign(draw=0), further])
    points, draw_of = table.drop(columns=["key", "draw"]).to_numpy(dtype=np.float32), table["draw"].to_numpy()
    draws = tuple(points[draw_of == draw] for draw in range(judge.n_draws))
    file = folder / "generator.safetensors"
    known = read_provenance(file)
    if known is None:
        raise StudyError("a generator is not there", where=f"{main}, {folder.name}", remedy="run the whole chain again")
    return Source(main, SYNTHETIC, known["label"], file, known["fingerprint"], draws, tuple(known["subjects"]))


def _refuse_too_few(sources: Sequence[Source], tables: Sequence[pd.DataFrame], wanted: int) -> None:
    if all(len(source.draws[0]) >= wanted for source in sources):
        return
    raise StudyError(
        "too few synthetic scans are left to be judged",
        where="parameters.judge.quarantine: exclude",
        got=", ".join(f"{len(one.draws[0])} of {len(table)}" for one, table in zip(sources, tables, strict=True)),
        expected=f"{wanted} of each diagnosis that passed the screen for copies (judge.n_synthetic)",
        remedy="draw more (sampler.n_samples), judge fewer (judge.n_synthetic), train the generator on more subjects "
        "or for fewer epochs, or set judge.quarantine: report",
    )


def _read(key: str, stored: Stored) -> Source:
    record, place = stored.record, Path(stored.path).parent
    draws = tuple(np.load(place / f"{key}_points.npy", allow_pickle=False))
    file = place / key / "generator.safetensors"
    known = read_provenance(file)
    if known is None or known["fingerprint"] != record["generator"]:
        raise StudyError(
            "a generator is not the one that its points were drawn from",
            where=key,
            got="no generator" if known is None else f"generator {known['fingerprint']}",
            expected=f"generator {record['generator']}",
            remedy="run the whole chain again: it makes both anew",
        )
    subjects = tuple(known["subjects"])
    return Source(record["partition"], record["origin"], record["label"], file, known["fingerprint"], draws, subjects)
