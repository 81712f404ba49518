import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.eulerangles import euler2mat

from cohortsmith.config.preparation import RegistrationConfig
from cohortsmith.config.study import PhantomConfig
from cohortsmith.errors import ConfigurationError, ScanRejected
from cohortsmith.imaging import registration
from cohortsmith.imaging.grid import Grid, resample
from cohortsmith.imaging.phantom import make_scan
from cohortsmith.imaging.registration import mutual_information, register
from cohortsmith.imaging.template import brain_mask, template
from cohortsmith.imaging.volume import Volume

FAST = RegistrationConfig(
    template_resolution=4.0,
    iterations=(100, 30),
    shrink_factors=(2, 1),
    smoothing_sigmas=(4, 2),
    sampling_fraction=0.15,
    correspondence=None,
)


def pose(degrees: tuple[float, ...], shift: tuple[float, ...], size: float = 1.0) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = size * euler2mat(*np.radians(degrees))
    matrix[:3, 3] = shift
    return matrix


POSE = pose((8, -6, 11), (12, -20, 9))


def scan_of(true_pose: np.ndarray, axes: np.ndarray) -> Volume:
    """The template as a scan of 3 mm on a grid whose axes point anywhere; pose: scan world -> template world."""
    affine = np.eye(4)
    affine[:3, :3] = axes * 3.0
    centre = np.linalg.inv(true_pose)[:3] @ [0, -15, 12, 1]
    affine[:3, 3] = centre - affine[:3, :3] @ [37, 37, 37]
    scan = resample(template(1.0), np.linalg.inv(true_pose), Grid((75, 75, 75), affine))
    return Volume(scan.data * 500, affine)


def brain_displacement(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance (mm) over the brain between where two matrices put the same point."""
    mask = brain_mask(4.0)
    index = np.argwhere(mask.data > 0)
    points = np.vstack([(mask.affine[:3, :3] @ index.T) + mask.affine[:3, 3:], np.ones(len(index))])
    return float(np.linalg.norm(((found @ np.linalg.inv(truth)) - np.eye(4))[:3] @ points, axis=0).mean())


def rotation_between(found: np.ndarray, truth: np.ndarray) -> float:
    left, _, right = np.linalg.svd((found @ np.linalg.inv(truth))[:3, :3])
    return float(np.degrees(np.arccos(np.clip((np.trace(left @ right) - 1) / 2, -1, 1))))


OBLIQUE = euler2mat(0.2, -0.1, 0.15)
SHEARED = np.array([[1.0, 0.15, 0], [0, 1, 0], [0, 0.1, 1]])


@pytest.mark.ants
@pytest.mark.parametrize("axes", [np.eye(3), OBLIQUE, SHEARED], ids=["straight", "oblique", "sheared"])
def test_a_known_pose_is_recovered_within_a_millimetre_and_a_degree(axes: np.ndarray) -> None:
    found = register(scan_of(POSE, axes), FAST)
    assert brain_displacement(found, POSE) < 1
    assert rotation_between(found, POSE) < 1


@pytest.mark.ants
def test_a_rigid_registration_only_turns_and_shifts() -> None:
    found = register(scan_of(POSE, np.eye(3)), FAST.model_copy(update={"transform": "rigid"}))
    np.testing.assert_allclose(found[:3, :3].T @ found[:3, :3], np.eye(3), atol=1e-4)
    assert brain_displacement(found, POSE) < 1


@pytest.mark.ants
def test_a_smaller_head_is_enlarged() -> None:
    small = pose((0, 5, 0), (3, 3, 3), size=1.15)
    assert brain_displacement(register(scan_of(small, np.eye(3)), FAST), small) < 1


@pytest.mark.ants
def test_the_same_scan_gives_the_same_matrix_to_the_last_bit() -> None:
    scan = scan_of(POSE, OBLIQUE)
    np.testing.assert_array_equal(register(scan, FAST), register(scan, FAST))


@pytest.mark.ants
def test_a_whole_head_of_the_phantom_is_put_where_it_belongs() -> None:
    scan = make_scan(PhantomConfig(), "training", 0)
    found = register(scan.volume, FAST)
    # The phantom's anatomy is bent locally, by up to a few millimetres: an affine cannot do better.
    assert brain_displacement(found, scan.truth.pose) < 2.5
    assert rotation_between(found, scan.truth.pose) < 2


TURNED_LABELS = np.array([[0.0, 0, -1, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
SWAPPED_LABELS = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])


@pytest.mark.ants
@pytest.mark.parametrize("labels", [TURNED_LABELS, SWAPPED_LABELS], ids=["turned", "mirrored"])
def test_wrong_orientation_labels_are_made_good_but_for_left_and_right(labels: np.ndarray) -> None:
    scan = scan_of(POSE, np.eye(3))
    found = register(Volume(scan.data, labels @ scan.affine), FAST)
    # The template is symmetric: of a mirrored scan the best that can be found is the place of its mirror image.
    mirror = np.diag([np.linalg.det(labels), 1, 1, 1])
    truth = mirror @ POSE @ np.linalg.inv(labels)
    assert brain_displacement(found, truth) < 1
    assert rotation_between(found, truth) < 1


@pytest.mark.ants
def test_a_bad_start_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    good = registration.starts

    def misleading(moving: Volume, count: int, template_path: str) -> list[np.ndarray]:
        far = pose((0, 0, 0), (0, 70, 60))
        return [far, good(moving, 1, template_path)[0]]

    monkeypatch.setattr(registration, "starts", misleading)
    assert brain_displacement(register(scan_of(POSE, np.eye(3)), FAST), POSE) < 1


def test_a_failure_of_ants_sets_the_scan_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: object) -> None:
        raise RuntimeError("Registration failed with error code 1")

    monkeypatch.setattr(registration, "best_start", failing)
    with pytest.raises(ScanRejected) as caught:
        register(Volume(np.zeros((20, 20, 20), np.float32), np.eye(4)), FAST, "sub-1_ses-1")
    assert caught.value.where == "sub-1_ses-1" and caught.value.remedy


def test_levels_without_all_their_settings_are_refused_before_the_run() -> None:
    with pytest.raises(ConfigurationError, match="one value per level"):
        RegistrationConfig.read({"iterations": [100, 50, 20]}, "preparation.registration")


@settings(max_examples=20)
@given(seed=st.integers(0, 100))
def test_mutual_information_is_symmetric_and_blind_to_contrast(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.random(5000, dtype=np.float32)
    b = (a + rng.normal(0, 0.1, 5000)).astype(np.float32)
    assert mutual_information(a, b) == pytest.approx(mutual_information(b, a))
    assert mutual_information(a, b) == pytest.approx(mutual_information(a, -3 * b), abs=0.02)


def test_independent_samples_share_next_to_nothing(rng: np.random.Generator) -> None:
    a, b = rng.random((2, 200_000), dtype=np.float32)
    # Bias of the estimate: (bins - 1)^2 / 2n.
    assert mutual_information(a, b) == pytest.approx(31**2 / 400_000, rel=0.2)
