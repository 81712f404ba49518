"""One subject's anatomy: how strong the disease is, how the template is deformed, and how the head lies.

A template point y sits in the subject's world at inverse(pose)(exp(velocity)(y)); a scan is made the other way round.
Atrophy is a flow with a prescribed divergence: fluid grows where grey matter is lost, and every map stays invertible.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.phantom import deformation
from cohortsmith.imaging.phantom.cohort import Study, subject_stream
from cohortsmith.imaging.phantom.regions import Regions, load_regions

Array = NDArray[np.floating]

# Share of volume gained or lost (its logarithm) where a region is, at an effect of one.
VENTRICLE_GROWTH, TEMPORAL_LOSS = 0.70, 0.50
ELDERLY = 0.7  # effect on the ventricles that everybody has: the template is of young adults
AGE_EFFECT, MEAN_AGE = 0.02, 74.0  # effect per year; years
# What differs between people of equal effect: a spread on each region's own effect, and smooth variation of the
# whole head at two scales (correlation mm, root mean square mm).
VENTRICLE_SPREAD, TEMPORAL_SPREAD = 0.25, 0.25
VARIATION = ((30.0, 1.0), (12.0, 0.5))
MARGIN = 12  # voxels of 2 mm: how far a region may move when it is measured
ROTATION, SHIFT, SCALE = 6.0, 8.0, 0.04  # standard deviations: degrees, mm, logarithm of the size


class Atrophy(NamedTuple):
    """Velocity fields (3, X, Y, Z) on the lattice of an effect of one."""

    ventricles: deformation.Field
    temporal: deformation.Field


class Anatomy(NamedTuple):
    """The truth about one subject.

    effect:   strength of the disease, latent units
    velocity: (3, X, Y, Z) stationary field, mm, that carries template points to the subject
    backward: (3, X, Y, Z) displacement, mm, of a subject's points to the template
    pose:     (4, 4) subject world mm -> template mm
    """

    effect: float
    velocity: deformation.Field
    backward: deformation.Field
    pose: NDArray[np.float64]


def draw_effect(config: PhantomConfig, study: Study, index: int, person: pd.Series) -> float:
    """Draw the strength of the disease, latent units, from the diagnosis and a little from the age (years)."""
    rng = subject_stream(config, study, index, purpose=0)
    sick = person["diagnosis"] == "AD"
    mean, sd = (config.effect_mean, config.effect_sd) if sick else (0.0, config.control_sd)
    return float(rng.normal(mean, sd) + AGE_EFFECT * (person["age"] - MEAN_AGE))


def draw_anatomy(config: PhantomConfig, study: Study, index: int, person: pd.Series) -> Anatomy:
    """Draw the disease, the shape and the pose of one subject (a row of the cohort)."""
    effect = draw_effect(config, study, index, person)
    velocity = draw_velocity(subject_stream(config, study, index, purpose=1), effect)
    return Anatomy(
        effect=effect,
        velocity=velocity,
        backward=deformation.exponential(-velocity),
        pose=_draw_pose(subject_stream(config, study, index, purpose=2)),
    )


def draw_velocity(rng: np.random.Generator, effect: float) -> deformation.Field:
    """Draw a subject's velocity field: the disease, and what makes people differ without it."""
    atrophy = load_atrophy()
    spread = rng.normal(0, (VENTRICLE_SPREAD, TEMPORAL_SPREAD))
    smooth = [deformation.random_velocity(rng, smoothness, size) for smoothness, size in VARIATION]
    disease = (ELDERLY + effect + spread[0]) * atrophy.ventricles + (effect + spread[1]) * atrophy.temporal
    return np.asarray(disease + np.sum(smooth, axis=0))


def region_volume(region: Array, backward: deformation.Field) -> float:
    """Measure a template region (X, Y, Z; 2 mm grid) warped to a subject, mm^3, with the head's size taken out."""
    affine = load_regions().affine
    inside = np.nonzero(region)
    box = [slice(int(i.min()) - MARGIN, int(i.max()) + MARGIN) for i in inside]
    points = affine[:3, :3] @ np.mgrid[box].reshape(3, -1) + affine[:3, 3:]
    index = np.linalg.inv(affine[:3, :3]) @ (deformation.displace(points, backward) - affine[:3, 3:])
    warped = ndimage.map_coordinates(region, index, order=1)
    return float(warped.sum() * np.linalg.det(affine[:3, :3]))


@lru_cache(maxsize=1)
def load_atrophy() -> Atrophy:
    """Solve for the two flows of the disease; kept for the life of the process.

    What one region gains, cortical and deep grey matter lose, so nothing moves far outside the brain.
    """
    regions = load_regions()
    return Atrophy(
        ventricles=_flow(regions, VENTRICLE_GROWTH * regions.periventricular),
        temporal=_flow(regions, -TEMPORAL_LOSS * regions.temporal),
    )


def _flow(regions: Regions, density: Array) -> deformation.Field:
    balanced = density - regions.grey * (density.sum() / regions.grey.sum())
    smooth = ndimage.gaussian_filter(balanced, 1.0)
    points = deformation.lattice_points().reshape(3, -1)
    index = np.linalg.inv(regions.affine[:3, :3]) @ (points - regions.affine[:3, 3:])
    lattice = ndimage.map_coordinates(smooth, index, order=1).reshape(deformation.SHAPE)
    return deformation.flow_with_divergence(lattice)


def _draw_pose(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a rotation, a shift and a size per axis, and return subject world -> template."""
    placed = np.eye(4)
    turn = Rotation.from_euler("xyz", rng.normal(0, ROTATION, 3), degrees=True).as_matrix()
    size = np.exp(rng.normal(0, SCALE) + rng.normal(0, SCALE / 2, 3))
    placed[:3, :3] = turn * size
    placed[:3, 3] = rng.normal(0, SHIFT, 3)
    return np.asarray(np.linalg.inv(placed))
