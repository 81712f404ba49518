import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.affines import apply_affine
from scipy.spatial.transform import Rotation

from cohortsmith.config.preparation import CorrespondenceConfig, RegistrationConfig
from cohortsmith.errors import ConfigurationError
from cohortsmith.imaging import correspondence
from cohortsmith.imaging.correspondence import dense_map, fit_affine, fit_rigid, refine
from cohortsmith.imaging.grid import Grid, grid_of, resample
from cohortsmith.imaging.phantom.trials import draw_trial, measure_miss
from cohortsmith.imaging.registration import register
from cohortsmith.imaging.template import brain_mask, template
from cohortsmith.imaging.volume import Volume

CONFIG = CorrespondenceConfig(resolution=6.0, iterations=(30, 20))
SHIFT = np.array([3.0, -2.0, 4.0])


def off_by(shift: np.ndarray, degrees: float = 0.0, size: float = 1.0) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = size * Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def mean_error(found: np.ndarray, truth: np.ndarray) -> float:
    brain = apply_affine(brain_mask(4.0).affine, np.argwhere(brain_mask(4.0).data > 0))
    points = apply_affine(np.linalg.inv(truth), brain)
    return float(np.linalg.norm(apply_affine(found, points) - brain, axis=1).mean())


class TestFit:
    @settings(max_examples=30)
    @given(seed=st.integers(0, 1000))
    def test_an_affine_is_recovered_from_what_it_did(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        matrix, points = np.eye(4), rng.normal(0, 50, (40, 3))
        matrix[:3] = rng.normal(0, 1, (3, 4))
        np.testing.assert_allclose(fit_affine(points, apply_affine(matrix, points)), matrix, atol=1e-10)

    @settings(max_examples=30)
    @given(seed=st.integers(0, 1000))
    def test_a_pose_is_recovered_from_what_it_did(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        matrix, points = np.eye(4), rng.normal(0, 50, (40, 3))
        matrix[:3, :3], matrix[:3, 3] = Rotation.random(random_state=seed).as_matrix(), rng.normal(0, 30, 3)
        np.testing.assert_allclose(fit_rigid(points, apply_affine(matrix, points)), matrix, atol=1e-9)

    @settings(max_examples=20)
    @given(seed=st.integers(0, 1000))
    def test_no_affine_near_by_is_nearer(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        points = rng.normal(0, 50, (60, 3))
        places = points + rng.normal(0, 3, (60, 3))

        def squares(matrix: np.ndarray) -> float:
            return float(((apply_affine(matrix, points) - places) ** 2).sum())

        best = fit_affine(points, places)
        other = best.copy()
        other[:3] += rng.normal(0, 1e-2, (3, 4))
        assert squares(best) < squares(other)
        assert squares(best) <= squares(fit_rigid(points, places))

    def test_a_mirror_image_is_not_a_pose(self) -> None:
        points = np.random.default_rng(0).normal(0, 50, (40, 3))
        assert np.linalg.det(fit_rigid(points, points * [-1, 1, 1])[:3, :3]) == pytest.approx(1)


@pytest.mark.ants
class TestMap:
    def test_a_shift_is_found_along_each_axis(self) -> None:
        """A head that lies SHIFT away: the like of each voxel is SHIFT further on."""
        fixed = template(6.0)
        moved = resample(fixed, off_by(SHIFT), grid_of(fixed))
        inside = brain_mask(6.0).data > 0
        shifts = dense_map(fixed, moved, inside, CONFIG)
        np.testing.assert_allclose(shifts[inside].mean(axis=0), SHIFT, atol=0.5)


def scan_of(truth: np.ndarray, shape: tuple[int, int, int] = (75, 80, 75), below: float = 100.0) -> Volume:
    """The template seen from a world that `truth` carries to its own; below: mm from the origin down to the view."""
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = -110, -140, -below
    return resample(template(1.0), np.linalg.inv(truth), Grid(shape, affine))


@pytest.mark.ants
class TestRefine:
    TRUTH = off_by(np.array([5.0, -3.0, 2.0]), degrees=4.0, size=1.05)
    START = off_by(np.array([-3.0, 2.0, 1.0]), degrees=-2.0) @ TRUTH

    def test_a_start_that_is_millimetres_off_is_put_right(self) -> None:
        assert mean_error(self.START, self.TRUTH) > 3.5
        assert mean_error(refine(scan_of(self.TRUTH), self.START, CONFIG), self.TRUTH) < 1

    def test_the_end_of_the_view_is_no_edge_of_the_brain(self) -> None:
        """The lower half of the brain is out of view."""
        cut = scan_of(self.TRUTH, shape=(75, 80, 45), below=10.0)
        assert mean_error(refine(cut, self.START, CONFIG), self.TRUTH) < 1.2

    def test_too_little_of_the_brain_changes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(correspondence, "dense_map", None)
        slab = scan_of(self.TRUTH, shape=(75, 80, 16), below=0.0)
        np.testing.assert_array_equal(refine(slab, self.START, CONFIG), self.START)

    def test_a_rigid_one_stays_rigid(self) -> None:
        truth = off_by(np.array([5.0, -3.0, 2.0]), degrees=4.0)
        found = refine(scan_of(truth), off_by(np.array([-3.0, 2.0, 1.0])) @ truth, CONFIG, "rigid")
        np.testing.assert_allclose(found[:3, :3].T @ found[:3, :3], np.eye(3), atol=1e-12)
        assert mean_error(found, truth) < 0.7

    def test_the_same_scan_gives_the_same_matrix_to_the_last_bit(self) -> None:
        scan = scan_of(self.TRUTH)
        np.testing.assert_array_equal(refine(scan, self.START, CONFIG), refine(scan, self.START, CONFIG))


@pytest.mark.ants
@pytest.mark.slow
def test_a_bent_head_of_which_the_top_is_cut_comes_nearer_to_where_it_belongs() -> None:
    """No affine follows it, and the end of the view must not be taken for an edge of the brain."""
    bent = draw_trial(7, 151, coarseness=2.0)
    start = register(bent.volume, RegistrationConfig(correspondence=None))
    refined = refine(bent.volume, start, CorrespondenceConfig())
    assert measure_miss(refined, bent).mean < 0.6 * measure_miss(start, bent).mean


@pytest.mark.ants
def test_a_registration_ends_with_it() -> None:
    truth = off_by(np.array([8.0, -5.0, 3.0]), degrees=6.0)
    scan, fast = scan_of(truth), {"template_resolution": 8.0, "iterations": (20,), "smoothing_sigmas": (4,)}
    plain = RegistrationConfig.read({**fast, "shrink_factors": [1], "correspondence": None}, "registration")
    ending = plain.model_copy(update={"correspondence": CONFIG})
    np.testing.assert_array_equal(register(scan, ending), refine(scan, register(scan, plain), CONFIG))


def test_a_misspelt_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="iterations"):
        RegistrationConfig.read({"correspondence": {"iteration": [5]}}, "preparation.registration")


def test_the_step_can_be_left_out() -> None:
    assert RegistrationConfig.read({"correspondence": None}, "preparation.registration").correspondence is None
