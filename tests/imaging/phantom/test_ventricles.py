import numpy as np
import pytest
from scipy import ndimage

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.phantom import make_scan, ventricle_map, ventricle_volume
from cohortsmith.imaging.volume import Volume

GRID = np.array([[4.0, 0, 0, -83], [0, 4, 0, -118], [0, 0, 4, -77], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def prepared(prepare):
    config = PhantomConfig()
    scans = [make_scan(config, "training", index) for index in range(12)]
    return [prepare(scan) for scan in scans], np.array([scan.truth.ventricle_volume for scan in scans])


def test_the_map_lies_where_the_lateral_ventricles_are():
    region = ventricle_map((42, 52, 45), GRID)
    centre = GRID[:3, :3] @ ndimage.center_of_mass(region) + GRID[:3, 3]
    assert centre == pytest.approx([0, -16, 15], abs=6)
    assert region.sum() * 64 == pytest.approx(16700, rel=0.1)


def test_the_map_is_the_same_on_a_flipped_grid():
    flipped = GRID @ np.array([[-1.0, 0, 0, 41], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert ventricle_map((42, 52, 45), flipped)[::-1] == pytest.approx(ventricle_map((42, 52, 45), GRID), abs=1e-5)


def test_measured_volumes_follow_the_true_ones(prepared):
    volumes, truth = prepared
    measured = [ventricle_volume(volume) for volume in volumes]
    assert np.corrcoef(measured, truth)[0, 1] > 0.95
    assert np.mean(measured) == pytest.approx(truth.mean(), rel=0.25)


def test_the_ranking_survives_the_blur_of_synthetic_images(prepared):
    volumes, truth = prepared
    blurred = [Volume(ndimage.gaussian_filter(data, 0.7), affine) for data, affine in volumes]
    assert np.corrcoef([ventricle_volume(volume) for volume in blurred], truth)[0, 1] > 0.9


def test_the_measure_does_not_depend_on_the_gain(prepared):
    data, affine = prepared[0][0]
    assert ventricle_volume(Volume(data * 3, affine)) == pytest.approx(ventricle_volume(Volume(data, affine)), rel=1e-5)


def test_an_image_without_ventricles_measures_none():
    assert ventricle_volume(Volume(np.ones((42, 52, 45), dtype=np.float32), GRID)) == 0
