"""Screen synthetic images for copies of training images.

An image is suspect when it lies closer to a training image than real images that were never trained on do. As a
generator blurs, and blurred images lie close to everything, the same is asked of reconstructions: what the generator
makes of a training image, against what it makes of a held-out one. This is a screen, not a proof: passing it does not
show that no person can be recognised, nor that membership cannot be inferred.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics.pairwise import euclidean_distances

from cohortsmith.evaluation.leakage import subject_of

Images = NDArray[np.float32]

# at most this many bytes of either image set are held in float64 at a time
_CHUNK_BYTES = 64 * 2**20


class Reconstructions(NamedTuple):
    """What the generator makes of its training images (N, *shape) and of held-out real ones (K, *shape)."""

    training: Images
    held_out: Images


class CopyScreen(NamedTuple):
    """The screen's outcome.

    table: one row per synthetic image: nearest (training id), distance, relative (to the median held-out distance),
        close; the same with suffix _reconstruction where reconstructions were given; flagged.
    threshold, threshold_reconstruction: a distance below it is close; RMSE in intensity units.
    flagged_share: of synthetic images. expected_share: what held-out real images themselves would give, in each of
        the comparisons (images, and reconstructions where given).
    """

    table: pd.DataFrame
    threshold: float
    threshold_reconstruction: float
    flagged_share: float
    expected_share: float

    def sentence(self) -> str:
        """Word the outcome as the screen that it is."""
        share = f"{self.expected_share:.0%}"
        against, chance = "", f"{share} would by chance"
        if np.isfinite(self.threshold_reconstruction):
            against = f", or to a training image's reconstruction than all but {share} of held-out reconstructions do"
            chance = f"{share} to {2 * self.expected_share:.0%} would by chance"
        return (
            f"{self.flagged_share:.0%} of {len(self.table)} synthetic images lie closer to a training image than all "
            f"but {share} of held-out real images do{against}; about {chance}. This is a screen for copies: it is no "
            "proof of privacy."
        )


def screen_copies(
    synthetic: Images,
    training: Images,
    held_out: Images,
    training_ids: Sequence[str],
    reconstructions: Reconstructions | None = None,
    expected_share: float = 0.05,
) -> CopyScreen:
    """Flag synthetic images (M, *shape) that lie closer to a training image than held-out real images do.

    training (N, *shape), held_out (K, *shape): real images in [0, 1], arrays or memory maps, read in chunks.
    expected_share: the share of held-out images whose distance sets the threshold (their quantile).
    """
    columns, threshold = _screen(synthetic, training, held_out, training_ids, expected_share)
    table, threshold_reconstruction = pd.DataFrame(columns), float("nan")
    close = table["close"].to_numpy()
    if reconstructions is not None:
        others, threshold_reconstruction = _screen(synthetic, *reconstructions, training_ids, expected_share)
        table = table.join(pd.DataFrame(others).add_suffix("_reconstruction"))
        close = close | others["close"]
    table["flagged"] = close
    return CopyScreen(table, threshold, threshold_reconstruction, float(close.mean()), expected_share)


def list_quarantine(screen: CopyScreen, keys: Sequence[str]) -> pd.DataFrame:
    """List the flagged synthetic scans that must not be used or handed on: one row each, closest first.

    keys: of the synthetic images, in the order that they were screened in. Columns: key, nearest_subject (training),
    compared_with ("image" or "reconstruction", whichever lies further below its threshold), distance, threshold
    (RMSE, intensity units), share_of_threshold.
    """
    views = [_against(screen.table, keys, "image", "", screen.threshold)]
    if "distance_reconstruction" in screen.table:
        suffix, threshold = "_reconstruction", screen.threshold_reconstruction
        views.append(_against(screen.table, keys, "reconstruction", suffix, threshold))
    pairs = pd.concat(views, ignore_index=True).sort_values("share_of_threshold", kind="stable")
    return pairs[pairs["share_of_threshold"] < 1].drop_duplicates("key").reset_index(drop=True)


def nearest(images: Images, others: Images) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find each image's nearest other one: (M, *shape), (N, *shape) -> index (M,), RMSE over pixels (M,)."""
    found = [_nearest_of_chunk(chunk, others) for chunk in _chunks(images)]
    return np.concatenate([index for index, _ in found]), np.concatenate([distance for _, distance in found])


def _against(
    table: pd.DataFrame, keys: Sequence[str], compared_with: str, suffix: str, threshold: float
) -> pd.DataFrame:
    distance = table[f"distance{suffix}"]
    columns = {
        "key": list(keys),
        "nearest_subject": [subject_of(name) for name in table[f"nearest{suffix}"]],
        "compared_with": compared_with,
        "distance": distance,
        "threshold": threshold,
    }
    return pd.DataFrame({**columns, "share_of_threshold": distance / threshold if threshold else np.inf})


def _screen(
    synthetic: Images, training: Images, held_out: Images, training_ids: Sequence[str], expected_share: float
) -> tuple[dict[str, NDArray[Any]], float]:
    _, reference = nearest(held_out, training)
    threshold = float(np.quantile(reference, expected_share))
    index, distance = nearest(synthetic, training)
    relative = distance / np.median(reference)
    names = np.asarray(training_ids)[index]
    return {"nearest": names, "distance": distance, "relative": relative, "close": distance < threshold}, threshold


def _nearest_of_chunk(chunk: NDArray[np.float64], others: Images) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    distances = np.concatenate([euclidean_distances(chunk, part) for part in _chunks(others)], axis=1)
    index = distances.argmin(axis=1)
    return index, distances[np.arange(len(chunk)), index] / np.sqrt(chunk.shape[1])


def _chunks(images: Images) -> Iterator[NDArray[np.float64]]:
    """Read a few images at a time, flattened, in double precision: float32 would round near-copies off."""
    n_pixels = int(np.prod(images.shape[1:]))
    size = max(1, _CHUNK_BYTES // (8 * n_pixels))
    for start in range(0, len(images), size):
        yield np.asarray(images[start : start + size], dtype=np.float64).reshape(-1, n_pixels)
