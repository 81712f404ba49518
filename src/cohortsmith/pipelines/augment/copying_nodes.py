"""Are the synthetic scans copies of training scans, and do they give away who was trained on?"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from cohortsmith.evaluation.copying import CopyScreen, Reconstructions, list_quarantine, screen_copies
from cohortsmith.evaluation.membership_inference import (
    MembershipAttack,
    RealPoints,
    attack_membership,
    compare_nearest,
)
from cohortsmith.models.fitted import FittedVAE, decode, encode
from cohortsmith.models.provenance import TrainedGenerator

Images = NDArray[np.float32]
CODED_AT_ONCE = 16  # images in memory
FEWEST = 2  # subjects on either side: with less there is no spread between subjects
_NEAREST = ("closer_share", "expected_share", "p_value")


class RealScans(NamedTuple):
    """Real scans (N, *shape) of one diagnosis with their keys, reconstructions (N, *shape) and latent codes (N, d)."""

    keys: NDArray[np.str_]
    subjects: NDArray[np.str_]
    images: Images
    reconstructions: Images
    codes: Images


def screen_for_copies(
    generator: TrainedGenerator,
    latents: pd.DataFrame,
    synthetic: Images,
    images: Images,
    splits: pd.DataFrame,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Screen one label's synthetic images for copies of its training images.

    Gives the screen (one row per image, in order), the quarantine list, the attacks on membership (one row per
    space), and the screen in words. Without any held-out scan nothing can be screened: flagged is missing then.
    """
    keys, label = latents["key"], generator.label
    if not _rows_of(label, splits, _HELD_OUT).any():
        unscreened = pd.DataFrame({"key": keys, "flagged": np.nan, "diagnosis": label})
        return unscreened, pd.DataFrame({"key": []}), _table([]), {"sentence": "Not screened: no scan was held out."}
    training, held_out = (_real_scans(generator, images, splits, names) for names in (("train",), _HELD_OUT))
    screen = _screen(synthetic, training, held_out)
    quarantine = list_quarantine(screen, list(keys))
    points = latents.drop(columns="key").to_numpy(dtype=np.float32)
    made = {"images": synthetic, "reconstructions": synthetic, "codes": points}
    attacks = _attack(made, training, held_out, np.random.default_rng([seed, len(keys)]))
    table = screen.table.assign(key=keys, diagnosis=label)
    return table, quarantine, attacks, _words(screen, quarantine, training, held_out)


def track_screen(generator: TrainedGenerator, copying: pd.DataFrame, membership: pd.DataFrame) -> dict[str, float]:
    """Give the parent run one label's share of flagged scans, and how well each attack does."""
    metrics = {f"copies.{generator.label}.flagged_share": float(copying["flagged"].astype(float).mean())}
    for row in membership.to_dict("records"):
        name = f"membership.{generator.label}.{row['space']}"
        metrics |= {f"{name}.{part}": float(row[part]) for part in ("auc", "low", "high", *_NEAREST)}
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


_HELD_OUT = ("validation", "test")


def _real_scans(generator: TrainedGenerator, images: Images, splits: pd.DataFrame, names: tuple[str, ...]) -> RealScans:
    rows = splits[_rows_of(generator.label, splits, names)]
    chosen, fitted = images[rows.index.to_numpy()], generator.fitted
    codes = np.concatenate([_encode(fitted, part) for part in _parts(chosen)])
    made = np.concatenate([np.asarray(decode(fitted, torch.from_numpy(part))) for part in _parts(codes)])
    return RealScans(rows["key"].to_numpy(), rows["participant_id"].to_numpy(), chosen, made, codes)


def _rows_of(label: str, splits: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    return (splits["diagnosis"] == label) & splits["split"].isin(names)


def _encode(fitted: FittedVAE, images: Images) -> Images:
    return np.asarray(encode(fitted, np.array(images, dtype=np.float32)))


def _parts(rows: Images) -> list[Images]:
    return np.array_split(rows, max(1, -(-len(rows) // CODED_AT_ONCE)))


def _screen(synthetic: Images, training: RealScans, held_out: RealScans) -> CopyScreen:
    made = Reconstructions(training.reconstructions, held_out.reconstructions)
    return screen_copies(synthetic, training.images, held_out.images, list(training.keys), made)


def _words(screen: CopyScreen, quarantine: pd.DataFrame, training: RealScans, held_out: RealScans) -> dict[str, Any]:
    mean = np.broadcast_to(training.images.mean(axis=0), held_out.images.shape)
    return {
        "flagged_share": screen.flagged_share,
        "quarantined": len(quarantine),
        "sentence": screen.sentence(),
        "training_rmse": _rmse(training.reconstructions, training.images),
        "held_out_rmse": _rmse(held_out.reconstructions, held_out.images),
        "mean_image_rmse": _rmse(mean, held_out.images),
    }


def _attack(
    made: dict[str, Images], training: RealScans, held_out: RealScans, random: np.random.Generator
) -> pd.DataFrame:
    if min(len(set(side.subjects)) for side in (training, held_out)) < FEWEST:
        return _table([])
    rows = []
    for space, points in made.items():
        sides = [RealPoints(getattr(side, space), side.subjects) for side in (training, held_out)]
        attack, share = attack_membership(points, *sides, space), compare_nearest(points, *sides, random)
        found = {name: getattr(share, name) for name in _NEAREST}
        shown = attack.succeeds or share.p_value < 1 - attack.confidence
        rows.append({**attack._asdict(), **found, "shown": shown})
    return _table(rows)


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*MembershipAttack._fields, *_NEAREST, "shown"])


def _rmse(one: Images, other: Images) -> float:
    return float(np.sqrt(np.mean((np.asarray(one) - np.asarray(other)) ** 2)))
