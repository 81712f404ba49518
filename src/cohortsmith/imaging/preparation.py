"""One scan's way from its own grid to the model's."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.errors import ScanRejected
from cohortsmith.imaging.bias_field import correct_bias
from cohortsmith.imaging.grid import downsample, resample
from cohortsmith.imaging.intensity import min_max
from cohortsmith.imaging.quality import measure_alignment, measure_bias, measure_transform
from cohortsmith.imaging.registration import register
from cohortsmith.imaging.template import brain_mask, crop_grid
from cohortsmith.imaging.volume import Volume


class Prepared(NamedTuple):
    """A scan ready for the model.

    volume:    on the model's grid, intensities in [0, 1]
    transform: (4, 4) world mm of the scan -> world mm of the template
    quality:   numbers of `imaging.quality`; empty for slices
    seconds:   per step
    """

    volume: Volume
    transform: NDArray[np.float64]
    quality: dict[str, float]
    seconds: dict[str, float]


def prepare_scan(volume: Volume, config: PreparationConfig, key: str = "") -> Prepared:
    """Correct the bias field, register, crop, down-sample and scale one scan (slices: the last two only).

    Raises `ScanRejected`, where=key, if the aligned scan does not resemble the template.
    """
    if config.kind == "slices":
        return Prepared(_to_model_grid(volume, config), np.eye(4), {}, {})
    seconds: dict[str, float] = {}
    with _timed(seconds, "bias_field"):
        corrected, field = correct_bias(volume, config.bias_field)
    with _timed(seconds, "registration"):
        transform = register(corrected, config.registration, key)
    with _timed(seconds, "resampling"):
        aligned = resample(corrected, transform, crop_grid(config.resolution))
    quality = {
        **measure_alignment(aligned, config.resolution),
        "outside_view": _outside_view(volume, transform, config.resolution),
        **measure_transform(transform),
        **measure_bias(field, volume),
    }
    _require_resemblance(quality["template_correlation"], config.minimum_correlation, key)
    return Prepared(_to_model_grid(aligned, config), transform, quality, seconds)


def _to_model_grid(volume: Volume, config: PreparationConfig) -> Volume:
    smaller = downsample(volume, config.downsample)
    return Volume(min_max(smaller.data), smaller.affine)


def _outside_view(volume: Volume, transform: NDArray[np.float64], resolution: float) -> float:
    """Give the fraction of the template's brain that the scan's field of view does not cover."""
    mask = brain_mask(resolution)
    brain = np.argwhere(mask.data > 0)
    to_scan = np.linalg.inv(transform @ volume.affine) @ mask.affine
    index = brain @ to_scan[:3, :3].T + to_scan[:3, 3]
    seen = ((index >= -0.5) & (index <= np.array(volume.data.shape) - 0.5)).all(axis=1)
    return float(1 - seen.mean())


def _require_resemblance(correlation: float, minimum: float, key: str) -> None:
    if correlation < minimum:
        raise ScanRejected(
            "aligned scan does not resemble the template",
            where=key,
            got=f"correlation {correlation:.2f} inside the brain",
            expected=f"at least {minimum:g}",
            remedy="look at the scan (contrast, coverage, orientation), or lower preparation.minimum_correlation",
        )


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - began
