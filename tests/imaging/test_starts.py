import numpy as np
import pytest
from nibabel.affines import apply_affine
from nibabel.eulerangles import euler2mat

from cohortsmith.imaging import starts as starts_module
from cohortsmith.imaging.grid import Grid, resample
from cohortsmith.imaging.starts import box_turns, starts
from cohortsmith.imaging.template import brain_mask, template
from cohortsmith.imaging.volume import Volume


def scan_in_pose(pose: np.ndarray) -> Volume:
    """The template's brain as a scan of 4 mm; pose: scan world -> template world."""
    affine = np.diag([4.0, 4, 4, 1])
    centre = np.linalg.inv(pose)[:3] @ [0, -15, 12, 1]
    affine[:3, 3] = centre - 4 * 30
    return resample(template(4.0), np.linalg.inv(pose), Grid((61, 61, 61), affine))


def brain_displacement(found: np.ndarray, truth: np.ndarray) -> float:
    mask = brain_mask(8.0)
    points = apply_affine(np.linalg.inv(truth), apply_affine(mask.affine, np.argwhere(mask.data > 0)))
    return float(np.linalg.norm(apply_affine(found, points) - apply_affine(truth, points), axis=1).mean())


def test_a_box_is_turned_onto_itself_in_24_ways() -> None:
    turns = box_turns()
    assert len({turn.tobytes() for turn in turns}) == 24
    np.testing.assert_array_equal(turns[0], np.eye(3))
    np.testing.assert_allclose([turn @ turn.T for turn in turns], [np.eye(3)] * 24)
    np.testing.assert_allclose([np.linalg.det(turn) for turn in turns], 1)


@pytest.mark.parametrize("number", [0, 5, 11, 17, 23])
def test_the_best_start_is_close_whatever_the_labels_the_tilt_and_the_shift(number: int) -> None:
    pose = np.eye(4)
    pose[:3, :3] = euler2mat(*np.radians([25, -28, 22])) @ box_turns()[number]
    pose[:3, 3] = 40, -35, 38
    found = starts(scan_in_pose(pose), 3)
    assert len(found) == 3
    assert brain_displacement(found[0], pose) < 12


def test_starts_are_unlike_each_other() -> None:
    found = starts(scan_in_pose(np.eye(4)), 6)
    apart = [starts_module._unlike(a, b, np.array([0.0, -15, 12])) for n, a in enumerate(found) for b in found[n + 1 :]]
    assert len(found) > 2 and all(apart)


def test_the_same_scan_gives_the_same_starts() -> None:
    scan = scan_in_pose(np.eye(4))
    np.testing.assert_array_equal(starts(scan, 3), starts(scan, 3))


def test_an_empty_scan_still_has_a_start() -> None:
    empty = Volume(np.zeros((20, 20, 20), np.float32), np.diag([8.0, 8, 8, 1]))
    assert np.isfinite(starts(empty, 2)).all()
