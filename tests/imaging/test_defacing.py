"""The face goes, the brain stays, whatever the pose and the grid."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cohortsmith.imaging.defacing import is_not_face, remove
from cohortsmith.imaging.phantom.atlas import load_atlas
from cohortsmith.imaging.template import brain_mask, crop_grid
from cohortsmith.imaging.volume import Volume

BRAIN = ("grey", "white", "csf")


def tissue(*names: str) -> Volume:
    atlas = load_atlas(2)
    return Volume(sum(atlas.maps[name].astype(np.float32) for name in names), atlas.affine)


def share_kept(volume: Volume, transform: NDArray[np.float64]) -> float:
    return float(remove(volume, is_not_face(volume, transform)).data.sum() / volume.data.sum())


def tilted(degrees: float, shift: tuple[float, float, float]) -> NDArray[np.float64]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    pose = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1.0]])
    pose[:3, 3] = shift
    return pose


@pytest.mark.parametrize("pose", [np.eye(4), tilted(30, (10, -40, 25)), tilted(-30, (0, 20, -40))])
def test_eyes_go_and_the_brain_stays_in_any_pose(pose: NDArray[np.float64]) -> None:
    transform = np.linalg.inv(pose)
    eyes, brain = (tissue(*names) for names in (("eye",), BRAIN))
    assert share_kept(Volume(eyes.data, pose @ eyes.affine), transform) < 1e-3
    assert share_kept(Volume(brain.data, pose @ brain.affine), transform) > 0.9999


def test_the_surface_of_the_face_goes() -> None:
    """Fat under the skin, template mm: everything before the eyes and below the brow."""
    skin = tissue("fat")
    y, z = (skin.affine[axis, axis] * np.arange(skin.data.shape[axis]) + skin.affine[axis, 3] for axis in (1, 2))
    face = np.where((y > 60)[:, None] & (z < -35)[None], skin.data, np.float32(0))
    assert face.sum() > 1000
    assert share_kept(Volume(face, skin.affine), np.eye(4)) == 0


def test_what_a_registration_may_be_wrong_by_costs_no_brain() -> None:
    brain = brain_mask(2.0)
    for shift in ((4, 0, 0), (0, 4, 0), (0, -4, 0), (0, 0, 4), (0, 0, -4)):
        assert share_kept(brain, tilted(0, shift)) > 0.9999


def test_only_what_is_marked_is_kept_and_nothing_else_changes(rng: np.random.Generator) -> None:
    grid = crop_grid(4.0)
    volume = Volume(rng.random(grid.shape, dtype=np.float32) + 1, grid.affine)
    kept = is_not_face(volume, np.eye(4))
    after = remove(volume, kept)
    np.testing.assert_array_equal(after.data[kept], volume.data[kept])
    assert not after.data[~kept].any() and 0.01 < (~kept).mean() < 0.2
    np.testing.assert_array_equal(after.affine, volume.affine)


@pytest.mark.parametrize(
    ("point", "stays"),
    [
        ((0, 30, -70), True),  # throat
        ((50, 45, -28), True),  # temple
        ((0, 75, 20), True),  # forehead
        ((0, 85, -35), False),  # root of the nose
        ((50, 45, -45), False),  # cheek
        ((0, 70, -90), False),  # mouth, below the template's box
    ],
)
def test_the_wedge_lies_before_the_temporal_poles_and_below_the_brow(point: tuple[int, ...], stays: bool) -> None:
    voxel = np.eye(4)
    voxel[:3, 3] = point
    assert bool(is_not_face(Volume(np.ones((1, 1, 1), np.float32), voxel), np.eye(4)).all()) is stays
