"""Where a registration begins: all the ways a head can be turned are looked at coarsely, the most alike are kept."""

import itertools
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from cohortsmith.imaging.grid import coarsen
from cohortsmith.imaging.intensity import foreground
from cohortsmith.imaging.template import brain_mask, template
from cohortsmith.imaging.volume import Volume

Matrix = NDArray[np.float64]
RESOLUTION = 8.0  # mm
_SMOOTHING = 0.5  # voxels
_TILTS = (-20.0, 0.0, 20.0)  # degrees about each axis; a rigid registration finds the rest
# How far the centre of mass may lie below the brain's, mm: a neck pulls it down, a cut neck up.
_BELOW = (-15.0, 5.0, 25.0, 45.0)
_BINS = 32
_CLIMBERS = 40
_STEPS = ((10.0, 10.0), (5.0, 5.0))  # degrees and mm of one move, coarse ones first
_UNLIKE_DEGREES, _UNLIKE_MM = 15.0, 15.0


class _Target(NamedTuple):
    """Voxels of the template around the brain: (n, 3) places in mm and their centre, and each intensity's bin."""

    places: NDArray[np.float64]
    bins: NDArray[np.intp]
    centre: NDArray[np.float64]


def starts(moving: Volume, count: int, template_path: str = "") -> list[Matrix]:
    """Give the `count` best of all poses tried, (4, 4) from the scan's world to the template's, best first.

    Tried are the 24 ways to turn a box onto itself (wrong orientation labels), each tilted by up to 20 degrees about
    every axis, at the tissue's centre of mass and the centre of the field of view; and the scanner's own position. The
    best of them climb. What counts is mutual information; of two within 15 degrees and 15 mm the better is kept.
    """
    coarse = coarsen(moving, RESOLUTION)
    moving_bins, target = _moving_bins(coarse), _target(template_path)

    def score(pose: Matrix) -> float:
        return _mutual_information(moving_bins, target, np.asarray(np.linalg.inv(pose @ coarse.affine), dtype=float))

    ranked = sorted(_poses(coarse), key=score, reverse=True)
    climbed = sorted((_climb(pose, score, target) for pose in ranked[:_CLIMBERS]), key=score, reverse=True)
    kept: list[Matrix] = []
    for pose in climbed:
        if all(_unlike(pose, other, target.centre) for other in kept):
            kept.append(pose)
    return kept[:count]


def _climb(pose: Matrix, score: Callable[[Matrix], float], target: _Target) -> Matrix:
    """Turn and shift a pose while that raises the score."""
    best, reached = pose, score(pose)
    for degrees, millimetres in _STEPS:
        for move in _moves(degrees, millimetres, tuple(target.centre)):
            value = score(move @ best)
            if value > reached:
                best, reached = move @ best, value
    return best


@lru_cache(maxsize=8)
def _moves(degrees: float, millimetres: float, centre: tuple[float, ...]) -> list[Matrix]:
    turns = Rotation.from_rotvec(degrees * np.vstack([np.eye(3), -np.eye(3)]), degrees=True).as_matrix()
    turned = [_pose(turn, np.array(centre), np.array(centre)) for turn in turns]
    shifted = [_pose(np.eye(3), np.zeros(3), shift) for shift in millimetres * np.vstack([np.eye(3), -np.eye(3)])]
    return turned + shifted


def box_turns() -> list[NDArray[np.float64]]:
    """Give the 24 rotations, (3, 3), that turn a box's axes onto each other; the first turns nothing."""
    signed = (
        np.eye(3)[list(order)] * signs
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1.0, -1.0), repeat=3)
    )
    return [matrix for matrix in signed if np.linalg.det(matrix) > 0]


def _poses(coarse: Volume) -> list[Matrix]:
    brain = brain_mask(4.0)
    target = apply_affine(brain.affine, np.argwhere(brain.data > 0).mean(axis=0))
    middle = apply_affine(coarse.affine, (np.array(coarse.data.shape) - 1) / 2)
    tissue = np.argwhere(foreground(coarse.data))
    mass = apply_affine(coarse.affine, tissue.mean(axis=0)) if len(tissue) else middle
    places = [(mass, target - [0, 0, below]) for below in _BELOW] + [(middle, target)]
    tilts = Rotation.from_euler("xyz", list(itertools.product(_TILTS, repeat=3)), degrees=True).as_matrix()
    turns = [tilt @ turn for turn in box_turns() for tilt in tilts]
    return [np.eye(4)] + [_pose(turn, point, goal) for turn in turns for point, goal in places]


def _pose(turn: Matrix, point: NDArray[np.float64], goal: NDArray[np.float64]) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = goal - turn @ point
    return matrix


def _target(template_path: str) -> _Target:
    fixed, inside = template(RESOLUTION, template_path), brain_mask(RESOLUTION, RESOLUTION).data > 0
    places = apply_affine(fixed.affine, np.argwhere(inside))
    return _Target(places, _binned(fixed.data)[inside], places.mean(axis=0))


def _binned(data: NDArray[np.float32]) -> NDArray[np.intp]:
    low, high = float(data.min()), float(data.max())
    return np.asarray(np.minimum((data - low) * (_BINS / max(high - low, 1e-9)), _BINS - 1), dtype=np.intp)


def _moving_bins(coarse: Volume) -> NDArray[np.intp]:
    """Give the bin of each voxel, with a border of the lowest: what lies outside the field of view."""
    return np.pad(_binned(ndimage.gaussian_filter(coarse.data, _SMOOTHING)), 1)


def _mutual_information(moving: NDArray[np.intp], target: _Target, to_index: Matrix) -> float:
    """Score a pose; voxels from outside the field of view get the scan's minimum, as in `grid.resample`."""
    index = np.rint(apply_affine(to_index, target.places)).astype(np.intp) + 1
    x, y, z = np.clip(index, 0, np.array(moving.shape) - 1).T
    counts = np.bincount(target.bins * _BINS + moving[x, y, z], minlength=_BINS**2)
    return _information(counts.reshape(_BINS, _BINS) / len(target.bins))


def _information(joint: NDArray[np.float64]) -> float:
    return _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1)) - _entropy(joint)


def _entropy(shares: NDArray[np.float64]) -> float:
    seen = shares[shares > 0]
    return float(-(seen * np.log(seen)).sum())


def _unlike(a: Matrix, b: Matrix, centre: NDArray[np.float64]) -> bool:
    """Say whether two poses differ by more than 15 degrees, or put the brain's centre more than 15 mm apart."""
    between = a @ np.linalg.inv(b)
    angle = np.degrees(np.arccos(np.clip((np.trace(between[:3, :3]) - 1) / 2, -1, 1)))
    return bool(angle > _UNLIKE_DEGREES or np.linalg.norm(apply_affine(between, centre) - centre) > _UNLIKE_MM)
