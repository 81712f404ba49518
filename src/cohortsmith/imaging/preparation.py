"""One scan's way from its own grid to the model's."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.imaging.background import measure_background
from cohortsmith.imaging.bias_field import correct_bias
from cohortsmith.imaging.brain_extraction import extract_brain
from cohortsmith.imaging.defacing import is_not_face, remove
from cohortsmith.imaging.grid import Grid, downsample, fit_centre, fit_extent, grid_of, lies_within, resample
from cohortsmith.imaging.intensity import min_max
from cohortsmith.imaging.quality import measure_alignment, measure_bias, measure_transform
from cohortsmith.imaging.registration import register
from cohortsmith.imaging.template import brain_mask, crop_grid
from cohortsmith.imaging.volume import Volume


class Prepared(NamedTuple):
    """A scan ready for the model, and all that is needed to undo each step.

    volume:     on the model's grid, intensities in [0, 1]
    transform:  (4, 4) world mm of the scan -> world mm of the template
    quality:    numbers of `imaging.quality` and `imaging.background`; empty for slices
    seconds:    per step
    native:     the scan's own grid, in its closest canonical orientation
    bias_field: on the scan's grid; the corrected scan is the scan divided by it
    registered: the corrected scan on the crop box, before down-sampling and scaling
    defaced:    the raw scan without its face, if that was asked for
    """

    volume: Volume
    transform: NDArray[np.float64]
    quality: dict[str, float]
    seconds: dict[str, float]
    native: Grid
    bias_field: Volume | None = None
    registered: Volume | None = None
    defaced: Volume | None = None


def prepare_scan(volume: Volume, config: PreparationConfig, key: str = "") -> Prepared:
    """Correct the bias field, register, crop, down-sample and scale one scan (slices: the last two only).

    Raises `ScanRejected`, where=key, if ANTs finds nothing to register.
    """
    if config.kind == "slices":
        return Prepared(to_model_grid(volume, config), np.eye(4), {}, {}, grid_of(volume))
    seconds: dict[str, float] = {}
    with _timed(seconds, "bias_field"):
        corrected, field = correct_bias(volume, config.bias_field)
    if config.brain_extraction:
        with _timed(seconds, "brain_extraction"):
            corrected = extract_brain(corrected, key)
    with _timed(seconds, "registration"):
        transform = register(corrected, config.registration, key, config.template.path)
    defaced = None
    if config.deface:
        with _timed(seconds, "defacing"):
            kept = is_not_face(corrected, transform)
            corrected, defaced = remove(corrected, kept), remove(volume, kept)
    with _timed(seconds, "resampling"):
        aligned = resample(corrected, transform, crop_grid(config.resolution))
    quality = {
        **measure_alignment(aligned, config.resolution, config.template.path),
        "outside_view": _outside_view(volume, transform, config.resolution),
        **measure_transform(transform),
        **measure_bias(field, volume),
        **measure_background(volume),
    }
    done = to_model_grid(aligned, config)
    return Prepared(done, transform, quality, seconds, grid_of(volume), field, aligned, defaced)


def to_model_grid(volume: Volume, config: PreparationConfig) -> Volume:
    """Down-sample what lies on the crop box, give it the model's shape, and scale it to [0, 1], in this order."""
    smaller = downsample(volume, config.downsample)
    if config.shape is not None:
        fit = fit_centre if config.shape_rule == "pad_crop" else fit_extent
        smaller = fit(smaller, config.shape)
    return Volume(min_max(smaller.data), smaller.affine)


def _outside_view(volume: Volume, transform: NDArray[np.float64], resolution: float) -> float:
    """Give the fraction of the template's brain that the scan's field of view does not cover."""
    mask = brain_mask(resolution)
    brain = np.argwhere(mask.data > 0)
    to_scan = np.linalg.inv(transform @ volume.affine) @ mask.affine
    return float(1 - lies_within(apply_affine(to_scan, brain), volume.data.shape, -0.5).mean())


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - began
