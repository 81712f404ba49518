import numpy as np
import pytest
from nibabel.affines import apply_affine, voxel_sizes

from cohortsmith.config.preparation import RegistrationConfig
from cohortsmith.imaging.grid import resample
from cohortsmith.imaging.phantom.trials import Trial, draw_trial, measure_miss
from cohortsmith.imaging.quality import template_correlation
from cohortsmith.imaging.registration import register
from cohortsmith.imaging.template import crop_grid

COARSE = 3.0


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    return [draw_trial(4, number, COARSE) for number in range(12)]


def test_trials_are_of_every_kind(trials: list[Trial]) -> None:
    assert {trial.tesla for trial in trials} == {1.5, 3.0}
    assert {trial.skull for trial in trials} == {True, False}
    assert {trial.view for trial in trials} == {"whole", "neck cut", "top cut"}
    assert {trial.mislabelled for trial in trials} == {True, False}
    sizes = np.concatenate([voxel_sizes(trial.volume.affine) for trial in trials]) / COARSE
    assert sizes.min() > 0.8 - 1e-9 and sizes.max() < 1.3 + 1e-9 and sizes.std() > 0.1


def test_the_truth_puts_every_scan_where_the_template_is(trials: list[Trial]) -> None:
    aligned = [resample(trial.volume, trial.truth, crop_grid(4.0)) for trial in trials]
    assert min(template_correlation(one, 4.0) for one in aligned) > 0.6


def test_no_truth_is_a_mirror_image(trials: list[Trial]) -> None:
    assert any(trial.mirrored for trial in trials)
    assert all(np.linalg.det(trial.truth) > 0 for trial in trials)


def test_the_brain_of_a_trial_lies_within_its_field_of_view(trials: list[Trial]) -> None:
    for trial in trials:
        index = apply_affine(np.linalg.inv(trial.volume.affine), trial.brain)
        assert (index >= -1e-6).all() and (index <= np.array(trial.volume.data.shape) - 1 + 1e-6).all()


def test_a_small_field_of_view_is_as_thick_as_was_asked(trials: list[Trial]) -> None:
    views = np.array([trial.view for trial in trials])
    extents = [(np.array(trial.volume.data.shape) * voxel_sizes(trial.volume.affine)).min() for trial in trials]
    small = np.array(extents)[views != "whole"]
    assert small.min() > 120 - 2 * COARSE and small.max() < 150 + 2 * COARSE


def test_a_draw_is_the_same_every_time() -> None:
    once, again = draw_trial(4, 3, 4.0), draw_trial(4, 3, 4.0)
    np.testing.assert_array_equal(once.volume.data, again.volume.data)
    np.testing.assert_array_equal(once.truth, again.truth)


def test_the_error_of_a_known_displacement_is_its_length_and_angle(trials: list[Trial]) -> None:
    shift, turn = np.eye(4), np.eye(4)
    shift[:3, 3] = 3, 0, 4
    turn[:2, :2] = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
    trial = trials[0]
    moved, turned = (measure_miss(change @ trial.truth, trial) for change in (shift, turn))
    assert moved.mean == pytest.approx(5) and moved.most == pytest.approx(5) and moved.degrees < 1e-3
    assert turned.degrees == pytest.approx(np.degrees(0.1))


@pytest.mark.ants
@pytest.mark.slow
@pytest.mark.statistical
def test_twelve_hard_scans_are_registered(trials: list[Trial]) -> None:
    """Coarse voxels and a template of 4 mm; `python -m benchmarks.registration_proof` does 200 as users do."""
    config = RegistrationConfig(
        template_resolution=4.0, iterations=(100, 50), shrink_factors=(2, 1), smoothing_sigmas=(4, 2)
    )
    misses = [measure_miss(register(trial.volume, config), trial) for trial in trials]
    assert max(miss.mean for miss in misses) < 2.5
    assert max(miss.degrees for miss in misses) < 1.5
