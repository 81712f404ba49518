import nibabel
import numpy as np
import pytest
from scipy import ndimage

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.phantom import deformation, draw_cohort, make_scan, ventricle_volume
from cohortsmith.imaging.phantom.anatomy import draw_anatomy
from cohortsmith.imaging.phantom.atlas import load_atlas
from cohortsmith.imaging.phantom.cohort import subject_stream
from cohortsmith.imaging.phantom.scan import render
from cohortsmith.imaging.phantom.scanner import SIGNAL, draw_scanner, place_grid, receive


def scanners(config, study, count):
    cohort = draw_cohort(config, study)
    return [
        draw_scanner(config, study, cohort.at[i, "site"], subject_stream(config, study, i, purpose=3))
        for i in range(count)
    ]


def test_a_scan_does_not_depend_on_what_was_made_before(config, scan):
    make_scan(config, "training", 5)
    again = make_scan(config, "training", 0)
    assert np.array_equal(again.volume.data, scan.volume.data)
    assert np.array_equal(again.volume.affine, scan.volume.affine)
    assert again.truth.ventricle_volume == scan.truth.ventricle_volume


def test_scans_of_other_subjects_studies_and_seeds_differ(config, scan):
    others = [
        make_scan(config, "training", 1),
        make_scan(config, "external", 0),
        make_scan(PhantomConfig(seed=1), "training", 0),
    ]
    volumes = {each.truth.ventricle_volume for each in [scan, *others]}
    assert len(volumes) == 4


def test_a_scan_looks_like_one(scan):
    data = scan.volume.data
    assert data.dtype == np.float32
    assert np.array_equal(data, np.rint(data))
    assert data.min() >= 0
    assert 300 < data.max() < 30000
    assert 0.15 < (data > 0.25 * np.percentile(data, 99)).mean() < 0.7  # a head in air
    faces = [data.take(end, axis) for axis in range(3) for end in (0, -1)]
    assert sum(np.median(face) < 0.1 * np.percentile(data, 99) for face in faces) >= 5  # only the neck is cut


def test_many_orientations_and_voxel_sizes_occur(config):
    drawn = scanners(config, "training", 60)
    assert len({scanner.codes for scanner in drawn}) >= 6
    voxels = np.stack([scanner.voxel for scanner in drawn])
    assert np.median(voxels) == pytest.approx(config.voxel_size, rel=0.05)
    assert (np.ptp(voxels, axis=1) > 0.2).sum() > 20


def test_the_affine_says_how_the_scan_is_stored(config):
    for scanner in scanners(config, "training", 20):
        _, affine = place_grid(scanner, np.eye(4))
        assert "".join(nibabel.aff2axcodes(affine)) == scanner.codes
        assert np.linalg.norm(affine[:3, :3], axis=0) == pytest.approx(scanner.voxel)


def test_the_field_of_view_is_centred_on_the_head_wherever_it_lies(config, scan):
    middle = np.append((np.array(scan.volume.data.shape) - 1) / 2, 1)
    assert (scan.truth.pose @ scan.volume.affine @ middle)[:3] == pytest.approx([0, -12, -6])


def test_the_field_of_view_holds_a_head_however_it_is_stored(config):
    for scanner in scanners(config, "training", 20):
        shape, affine = place_grid(scanner._replace(tilt=np.eye(3)), np.eye(4))
        extent = np.abs(affine[:3, :3]) @ shape
        assert (extent - (196, 244, 228) >= 0).all()
        assert (extent - (196, 244, 228) < 5).all()


def test_thick_slices_blur_across_themselves_only(config):
    person = draw_cohort(config, "training").iloc[0]
    anatomy = draw_anatomy(config, "training", 0, person)
    scanner = scanners(config, "training", 1)[0]._replace(codes="RSA")
    grid = ((98, 122, 80), np.array([[2.0, 0, 0, -98], [0, 0, 2, -100], [0, 2, 0, -100], [0, 0, 0, 1]]))
    thin, thick = (
        render(anatomy, scanner._replace(voxel=np.array([2.0, last, 2.0])), *grid, load_atlas(2)) for last in (2.0, 8.0)
    )
    kept = [np.abs(np.diff(thick, axis=axis)).sum() / np.abs(np.diff(thin, axis=axis)).sum() for axis in range(3)]
    assert kept[1] < 0.75
    assert min(kept[0], kept[2]) > kept[1] + 0.1


def test_the_external_scanners_are_noisier_and_coarser(config):
    here, there = (scanners(config, study, 30) for study in ("training", "external"))
    relative_noise = [np.mean([s.noise / s.signal["white"] for s in group]) for group in (here, there)]
    contrast = [np.mean([s.signal["grey"] / s.signal["white"] for s in group]) for group in (here, there)]
    voxel = [np.mean([s.voxel for s in group]) for group in (here, there)]
    assert relative_noise[1] > 1.4 * relative_noise[0]
    assert contrast[1] > contrast[0] + 0.03
    assert voxel[1] > 1.05 * voxel[0]


@pytest.mark.statistical
def test_noise_is_rician(config):
    scanner = scanners(config, "training", 1)[0]._replace(noise=20.0, field=(np.zeros((3, 3)), np.zeros(3)))
    rng = np.random.default_rng(0)
    air = receive(np.zeros((40, 40, 40)), np.eye(4), scanner, rng)
    tissue = receive(np.full((40, 40, 40), 1000.0), np.eye(4), scanner, rng)
    assert air.mean() == pytest.approx(20 * np.sqrt(np.pi / 2), rel=0.02)  # Rayleigh
    assert tissue.mean() == pytest.approx(np.hypot(1000, 20), abs=1)
    assert tissue.std() == pytest.approx(20, rel=0.03)


def test_the_receive_field_is_smooth_and_moderate(config):
    scanner = scanners(config, "training", 1)[0]._replace(noise=1e-6)
    flat = receive(np.full((20, 20, 20), 10000.0), np.diag([9.0, 9, 9, 1]), scanner, np.random.default_rng(0))
    assert 1.02 < flat.max() / flat.min() < 2.5
    assert np.abs(np.diff(flat, axis=0)).max() < 600


SHIFTS = [(0, 0, 0), (4, 0, 0), (-4, 0, 0), (0, 4, 0), (0, -4, 0), (0, 0, 4), (0, 0, -4)]  # mm


@pytest.mark.parametrize("index", [0, 1, 2])
def test_template_landmarks_land_where_the_truth_says(config, index):
    scan = make_scan(config, "training", index)
    landmarks, signal = _brain_of_the_template()
    anatomy = draw_anatomy(config, "training", index, draw_cohort(config, "training").iloc[index])
    moved = deformation.displace(landmarks, deformation.exponential(anatomy.velocity))
    to_voxel = np.linalg.inv(scan.truth.pose @ scan.volume.affine)
    found = [_likeness(scan.volume.data, to_voxel, moved + np.array(shift)[:, None], signal) for shift in SHIFTS]
    assert found[0] > 0.85
    assert max(found[1:]) < found[0] - 0.03


def _brain_of_the_template():
    """Return deep points of the template brain, mm, and the signal expected there."""
    maps, affine, _ = load_atlas(2)
    signal = sum(SIGNAL[tissue] * maps[tissue].astype(float) for tissue in ("csf", "grey", "white"))
    brain = sum(maps[tissue].astype(float) for tissue in ("csf", "grey", "white")) > 0.95
    inside = np.nonzero(ndimage.binary_erosion(brain, iterations=5))
    return np.stack(inside) * 2.0 + affine[:3, 3:], ndimage.gaussian_filter(signal, 0.7)[inside]


def _likeness(data, to_voxel, points, signal):
    seen = ndimage.map_coordinates(data, to_voxel[:3, :3] @ points + to_voxel[:3, 3:], order=1)
    return np.corrcoef(seen, signal)[0, 1]


@pytest.mark.slow
def test_a_subject_has_the_same_anatomy_at_any_resolution(prepare):
    coarse, fine = (make_scan(PhantomConfig(n_subjects=4, voxel_size=size), "training", 2) for size in (3.0, 1.5))
    assert fine.volume.data.size > 6 * coarse.volume.data.size
    assert fine.truth.ventricle_volume == pytest.approx(coarse.truth.ventricle_volume)
    assert fine.truth.pose == pytest.approx(coarse.truth.pose)
    assert ventricle_volume(prepare(fine)) == pytest.approx(ventricle_volume(prepare(coarse)), rel=0.2)
