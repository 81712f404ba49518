"""Scans that are hard to register, with the truth: what a registration is tried on.

A head of the phantom study lies anywhere, is seen in part, with or without its skull, and may be labelled wrongly.
"""

from typing import Literal, NamedTuple

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.correspondence import fit_affine
from cohortsmith.imaging.grid import lies_within
from cohortsmith.imaging.phantom import deformation
from cohortsmith.imaging.phantom.anatomy import SCALE, Anatomy, draw_anatomy
from cohortsmith.imaging.phantom.atlas import load_atlas
from cohortsmith.imaging.phantom.cohort import Study, draw_cohort, subject_stream
from cohortsmith.imaging.phantom.scan import render
from cohortsmith.imaging.phantom.scanner import FIELD_OF_VIEW, Scanner, draw_scanner, place_grid, receive, stored_axes
from cohortsmith.imaging.template import brain_mask
from cohortsmith.imaging.volume import Volume

Matrix = NDArray[np.float64]
View = Literal["whole", "neck cut", "top cut"]
VIEWS: tuple[View, ...] = ("whole", "whole", "neck cut", "top cut")

MOST_TURNED, MOST_SHIFTED = 30.0, 40.0  # degrees about each axis, mm along each axis
VOXEL = (0.8, 1.3)  # mm, each axis for itself
SLAB = (
    120.0,
    150.0,
)  # mm of the head that a small field of view holds, from its top down or from below the cerebellum up
HEAD = (-74.0, 90.0)  # template mm: below the cerebellum, top of the scalp
MISLABELLED = 0.2  # share of scans with wrong orientation labels
# Receive fields are stronger and noise weaker at 3 T; contrasts are those of the two studies' scanners.
FIELDS: dict[float, tuple[Study, float]] = {1.5: ("external", 1.0), 3.0: ("training", 2.5)}
SKULL = ("marrow", "muscle", "fat", "eye")
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
LANDMARKS = 4.0  # mm between the points of the brain at which an alignment is judged


class Trial(NamedTuple):
    """One scan and where its brain belongs.

    truth: (4, 4) scan world mm -> template mm: the affine nearest to the phantom's own map (affine pose and smooth
           deformation), in least squares over `brain`
    brain: (n, 3) points of the scan's brain within its field of view, scan world mm
    tesla, skull (False: brain only), view: how it was taken. mirrored: the wrong labels swap left and right
    """

    volume: Volume
    truth: Matrix
    brain: NDArray[np.float64]
    tesla: float
    skull: bool
    view: View
    mislabelled: bool
    mirrored: bool


class Miss(NamedTuple):
    """How far a matrix is from the truth: mm between where both put the brain, on average and at most; degrees."""

    mean: float
    most: float
    degrees: float


def draw_trial(seed: int, number: int, coarseness: float = 1.0) -> Trial:
    """Draw one scan by its number, whatever else was drawn; coarseness multiplies the voxels of 0.8 to 1.3 mm."""
    rng = np.random.default_rng([seed, number])
    tesla, skull, mislabelled = float(rng.choice([*FIELDS])), bool(rng.random() < 0.5), bool(rng.random() < MISLABELLED)
    view = VIEWS[rng.integers(len(VIEWS))]
    anatomy, scanner = _draw_subject(rng, seed, number, tesla, coarseness)
    scan = _scan(anatomy, scanner if skull else _blind_to_skull(scanner), view, rng)
    truth, brain = nearest_affine(anatomy, scan)
    trial = Trial(scan, truth, brain, tesla, skull, view, mislabelled, False)
    return _relabelled(trial, _wrong_labels(rng)) if mislabelled else trial


def measure_miss(found: Matrix, trial: Trial) -> Miss:
    """Compare a registration's (4, 4) matrix with the truth over the brain points in view."""
    distances = np.linalg.norm(apply_affine(found, trial.brain) - apply_affine(trial.truth, trial.brain), axis=1)
    left, _, right = np.linalg.svd((found @ np.linalg.inv(trial.truth))[:3, :3])
    angle = np.degrees(np.arccos(np.clip((np.trace(left @ right) - 1) / 2, -1, 1)))
    return Miss(float(distances.mean()), float(distances.max()), float(angle))


def _draw_subject(
    rng: np.random.Generator, seed: int, number: int, tesla: float, coarseness: float
) -> tuple[Anatomy, Scanner]:
    study, strength = FIELDS[tesla]
    config = PhantomConfig(seed=seed, n_subjects=number + 1, n_external=number + 1)
    person = draw_cohort(config, study).iloc[number]
    anatomy = draw_anatomy(config, study, number, person)._replace(pose=_draw_pose(rng))
    scanner = draw_scanner(config, study, person["site"], subject_stream(config, study, number, purpose=3))
    quadratic, linear = scanner.field
    voxel = coarseness * rng.uniform(*VOXEL, 3)
    return anatomy, scanner._replace(field=(quadratic * strength, linear * strength), voxel=voxel)


def _draw_pose(rng: np.random.Generator) -> Matrix:
    """Draw subject world -> template: turned, shifted and of any size."""
    placed = np.eye(4)
    turn = Rotation.from_euler("xyz", rng.uniform(-MOST_TURNED, MOST_TURNED, 3), degrees=True).as_matrix()
    placed[:3, :3] = turn * np.exp(rng.normal(0, SCALE) + rng.normal(0, SCALE / 2, 3))
    placed[:3, 3] = rng.uniform(-MOST_SHIFTED, MOST_SHIFTED, 3)
    return np.asarray(np.linalg.inv(placed))


def _blind_to_skull(scanner: Scanner) -> Scanner:
    return scanner._replace(signal=scanner.signal | dict.fromkeys(SKULL, 0.0))


def _scan(anatomy: Anatomy, scanner: Scanner, view: View, rng: np.random.Generator) -> Volume:
    shape, affine = _cut(scanner, anatomy.pose, view, rng.uniform(*SLAB))
    clean = render(anatomy, scanner, shape, affine, load_atlas(2 if scanner.voxel.min() >= 2 else 1))
    data = receive(clean, affine, scanner, rng)
    stripped = scanner.signal["fat"] == 0
    return Volume(np.where(clean > 0, data, 0) if stripped else data, affine)


def _cut(scanner: Scanner, pose: Matrix, view: View, thickness: float) -> tuple[tuple[int, ...], Matrix]:
    """Lay the scan's grid (shape, affine), and keep of its down-up axis what a small field of view holds."""
    shape, affine = place_grid(scanner, pose)
    if view == "whole":
        return shape, affine
    axis = int(np.argmax(stored_axes(scanner) == 2))
    low = HEAD[1] - thickness if view == "neck cut" else HEAD[0]
    (_, _, middle), _ = FIELD_OF_VIEW
    sign = np.sign(affine[2, axis])
    first = (shape[axis] - 1) / 2 + sign * (low + thickness / 2 - middle) / scanner.voxel[axis]
    first = round(first - thickness / 2 / scanner.voxel[axis])
    sides = list(shape)
    sides[axis] = round(thickness / scanner.voxel[axis])
    affine[:3, 3] += first * affine[:3, axis]
    return tuple(sides), affine


def nearest_affine(anatomy: Anatomy, scan: Volume) -> tuple[Matrix, NDArray[np.float64]]:
    """Fit the affine nearest to the phantom's map over the brain in view; give it, (4, 4), and those points, (n, 3) mm.

    Both in the world of a scan with right labels: what is fitted is scan world -> template.
    """
    mask = brain_mask(LANDMARKS)
    places = apply_affine(mask.affine, np.argwhere(mask.data > 0))
    bent = deformation.displace(places.T, deformation.exponential(anatomy.velocity)).T
    brain = apply_affine(np.linalg.inv(anatomy.pose), bent)
    index = apply_affine(np.linalg.inv(scan.affine), brain)
    seen = lies_within(index, scan.data.shape)
    return fit_affine(brain[seen], places[seen]), brain[seen]


def _wrong_labels(rng: np.random.Generator) -> Matrix:
    """Draw one of the 47 ways to name and point three axes wrongly."""
    while True:
        labels = np.eye(4)
        labels[:3, :3] = np.eye(3)[rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
        if not np.array_equal(labels, np.eye(4)):
            return labels


def _relabelled(trial: Trial, labels: Matrix) -> Trial:
    """Put the scan where wrong labels say it lies; of a mirrored one the truth is that of its mirror image.

    The template is symmetric, so nothing tells a mirrored head from another one.
    """
    mirrored = bool(np.linalg.det(labels) < 0)
    truth = (MIRROR if mirrored else np.eye(4)) @ trial.truth @ np.linalg.inv(labels)
    return trial._replace(
        volume=Volume(trial.volume.data, labels @ trial.volume.affine),
        truth=truth,
        brain=apply_affine(labels, trial.brain),
        mirrored=mirrored,
    )
