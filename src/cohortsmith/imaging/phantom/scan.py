"""Scans of the phantom study, and the truth they were made from."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.phantom import deformation
from cohortsmith.imaging.phantom.anatomy import Anatomy, draw_anatomy, region_volume
from cohortsmith.imaging.phantom.atlas import Atlas, load_atlas
from cohortsmith.imaging.phantom.cohort import Study, draw_cohort, subject_stream
from cohortsmith.imaging.phantom.regions import load_regions
from cohortsmith.imaging.phantom.scanner import Scanner, draw_scanner, place_grid, receive, stored_axes
from cohortsmith.imaging.volume import Volume

Array = NDArray[np.floating]

POINT_SPREAD = 0.425  # standard deviation per full width at half maximum of a Gaussian: one voxel wide
SLAB = 16  # slices computed at once: bounds the memory of a 1 mm scan


class PhantomTruth(NamedTuple):
    """What a scan was made from.

    effect:             strength of the disease, latent units
    ventricle_volume:   lateral ventricles in template space (the size of the head taken out), mm^3
    hippocampus_volume: both hippocampi, likewise
    pose:               (4, 4) subject world mm -> template mm
    """

    effect: float
    ventricle_volume: float
    hippocampus_volume: float
    pose: NDArray[np.float64]


class PhantomScan(NamedTuple):
    """A raw scan as a scanner would deliver it, and the truth behind it."""

    volume: Volume
    truth: PhantomTruth


def make_scan(config: PhantomConfig, study: Study, index: int) -> PhantomScan:
    """Make the scan of the subject in row `index` of `draw_cohort`, whatever else has been made."""
    return scan_person(config, study, index, draw_cohort(config, study).iloc[index])


def scan_person(config: PhantomConfig, study: Study, index: int, person: pd.Series) -> PhantomScan:
    """Make the scan of a person (diagnosis, age in years, site) with the random stream of number `index`."""
    anatomy = draw_anatomy(config, study, index, person)
    scanner = draw_scanner(config, study, person["site"], subject_stream(config, study, index, purpose=3))
    shape, affine = place_grid(scanner, anatomy.pose)
    clean = render(anatomy, scanner, shape, affine, load_atlas(2 if config.voxel_size >= 2 else 1))
    data = receive(clean, affine, scanner, subject_stream(config, study, index, purpose=4))
    return PhantomScan(Volume(data, affine), measure_truth(anatomy))


def truth_table(config: PhantomConfig, study: Study) -> pd.DataFrame:
    """Tabulate the truth per subject: subject, effect, ventricle_volume and hippocampus_volume (mm^3)."""
    cohort = draw_cohort(config, study)
    rows = [
        (cohort.at[index, "subject"], *measure_truth(draw_anatomy(config, study, index, cohort.iloc[index]))[:3])
        for index in range(len(cohort))
    ]
    return pd.DataFrame(rows, columns=["subject", *PhantomTruth._fields[:3]])


def measure_truth(anatomy: Anatomy) -> PhantomTruth:
    """Measure the deformed template regions of one subject."""
    regions = load_regions()
    return PhantomTruth(
        effect=anatomy.effect,
        ventricle_volume=region_volume(regions.ventricles, anatomy.backward),
        hippocampus_volume=region_volume(regions.hippocampi, anatomy.backward),
        pose=anatomy.pose,
    )


def render(
    anatomy: Anatomy, scanner: Scanner, shape: tuple[int, ...], affine: NDArray[np.float64], atlas: Atlas
) -> Array:
    """Compute the signal (X, Y, Z), free of noise and field, of a subject on a scan's grid."""
    template = _blur(_template_signal(atlas, scanner), atlas, scanner)
    to_template = anatomy.pose @ affine
    to_voxel = np.linalg.inv(atlas.affine)
    clean = np.empty(shape, dtype=np.float32)
    for first in range(0, shape[0], SLAB):
        last = min(first + SLAB, shape[0])
        grid = np.indices((last - first, *shape[1:]), dtype=np.float64)
        grid[0] += first
        points = deformation.displace(_apply(to_template, grid), anatomy.backward)
        clean[first:last] = ndimage.map_coordinates(template, _apply(to_voxel, points), order=1)
    return clean


def _template_signal(atlas: Atlas, scanner: Scanner) -> NDArray[np.float32]:
    """Mix the tissues by their signal; what the T1 template adds scales with the white-grey contrast."""
    signal = scanner.signal | {"texture": scanner.signal["white"] - scanner.signal["grey"]}
    total = np.zeros(atlas.maps["csf"].shape, dtype=np.float32)
    for name, image in atlas.maps.items():
        total += np.float32(signal[name]) * image.astype(np.float32)
    return np.maximum(total, 0)


def _blur(image: NDArray[np.float32], atlas: Atlas, scanner: Scanner) -> NDArray[np.float32]:
    """Smooth by the scan's voxel, beyond what the atlas' own voxel has already done."""
    voxel = np.empty(3)
    voxel[stored_axes(scanner)] = scanner.voxel
    missing = np.sqrt(np.maximum(voxel**2 - atlas.resolution**2, 0))
    return np.asarray(ndimage.gaussian_filter(image, POINT_SPREAD * missing / atlas.resolution, truncate=3))


def _apply(affine: Array, points: Array) -> Array:
    """Map points (3, ...) by an affine."""
    return np.asarray(np.tensordot(affine[:3, :3], points, axes=1) + affine[:3, 3].reshape(3, 1, 1, 1))
