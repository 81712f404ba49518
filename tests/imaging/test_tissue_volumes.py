"""Tissue volumes against phantoms whose anatomy is known, and against what must not matter."""

import numpy as np
import pytest
from scipy import ndimage

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.grid import Grid, resample
from cohortsmith.imaging.intensity import min_max
from cohortsmith.imaging.phantom import draw_cohort
from cohortsmith.imaging.phantom.aligned import make_aligned, tissue_maps
from cohortsmith.imaging.phantom.anatomy import draw_anatomy
from cohortsmith.imaging.phantom.scan import measure_truth
from cohortsmith.imaging.phantom.scanner import SIGNAL
from cohortsmith.imaging.template import crop_grid
from cohortsmith.imaging.tissue_priors import tissue_priors
from cohortsmith.imaging.tissue_volumes import TissueVolumes, measure_tissue_volumes, separate_tissues
from cohortsmith.imaging.volume import Volume

GRID = crop_grid(4.0)
CONFIG = PhantomConfig(n_subjects=12, seed=5)
PEOPLE = draw_cohort(CONFIG, "training")
MILLILITRES = 0.064  # of a voxel


def scan(maps: dict[str, np.ndarray]) -> Volume:
    signal = SIGNAL | {"texture": SIGNAL["white"] - SIGNAL["grey"]}
    clean = sum(np.float32(signal[name]) * image for name, image in maps.items())
    noisy = clean + np.random.default_rng(0).normal(0, 0.01, clean.shape)
    return Volume(min_max(noisy.astype(np.float32)), GRID.affine)


def truth(maps: dict[str, np.ndarray]) -> dict[str, float]:
    inside = tissue_priors(GRID).inside
    return {name: float(maps[name][inside].sum()) * MILLILITRES for name in ("grey", "white", "csf")}


@pytest.fixture(scope="module")
def maps() -> dict[str, np.ndarray]:
    return tissue_maps(draw_anatomy(CONFIG, "training", 0, PEOPLE.iloc[0]), GRID)


def shift(maps, source: str, target: str, share: float) -> dict[str, np.ndarray]:
    """Let one tissue give way to another where they meet."""
    neighbour = ndimage.uniform_filter(maps[target], 3)
    moved = np.minimum(share * neighbour, 1) * maps[source]
    return maps | {source: maps[source] - moved, target: maps[target] + moved}


@pytest.fixture(scope="module")
def known_and_found() -> tuple[list[dict[str, float]], list[TissueVolumes]]:
    known, found = [], []
    for index in range(8):
        anatomy = draw_anatomy(CONFIG, "training", index, PEOPLE.iloc[index])
        ventricles = measure_truth(anatomy).ventricle_volume / 1000
        known.append(truth(tissue_maps(anatomy, GRID)) | {"ventricles": ventricles})
        found.append(measure_tissue_volumes(make_aligned(CONFIG, "training", index, PEOPLE.iloc[index], GRID)))
    return known, found


@pytest.mark.slow
@pytest.mark.parametrize(("tissue", "error"), [("grey", 0.05), ("white", 0.06), ("csf", 0.25), ("ventricles", 0.1)])
def test_on_average_the_phantoms_volumes_are_the_true_ones(known_and_found, tissue, error):
    known, found = known_and_found

    assert np.mean([getattr(one, tissue) for one in found]) == pytest.approx(
        np.mean([one[tissue] for one in known]), rel=error
    )


@pytest.mark.slow
def test_ventricles_follow_each_subjects_true_ones(known_and_found):
    known, found = ([one["ventricles"] for one in known_and_found[0]], [one.ventricles for one in known_and_found[1]])

    assert np.corrcoef(found, known)[0, 1] > 0.97
    assert np.polyfit(known, found, 1)[0] == pytest.approx(0.9, abs=0.12)


@pytest.mark.parametrize(("source", "target"), [("white", "grey"), ("grey", "white"), ("grey", "csf")])
def test_tissue_that_gives_way_to_another_is_missed_and_found(maps, source, target):
    changed = shift(maps, source, target, 0.4)
    before, after = measure_tissue_volumes(scan(maps)), measure_tissue_volumes(scan(changed))
    moved = truth(maps)[source] - truth(changed)[source]

    assert moved > 40
    assert 0.4 < (getattr(before, source) - getattr(after, source)) / moved < 1.5
    assert 0.4 < (getattr(after, target) - getattr(before, target)) / moved < 1.5


def test_neither_the_scale_nor_the_grid_of_the_scan_matters(maps):
    own = scan(maps)
    finer = Grid(tuple(2 * side for side in GRID.shape), crop_grid(2.0).affine)
    expected = measure_tissue_volumes(own)

    assert measure_tissue_volumes(own._replace(data=40 * own.data + 7)) == pytest.approx(expected, rel=1e-3)
    assert measure_tissue_volumes(resample(own, np.eye(4), finer)) == pytest.approx(expected, rel=0.15)


def test_tissues_fill_the_brain_and_ventricles_are_part_of_the_fluid(maps):
    found = measure_tissue_volumes(scan(maps))

    assert found.grey + found.white + found.csf == pytest.approx(tissue_priors(GRID).inside.sum() * MILLILITRES)
    assert 0 < found.ventricles < found.csf


@pytest.mark.parametrize("data", [np.zeros(GRID.shape), 1 - tissue_priors(GRID).inside.astype(float)])
def test_an_image_without_contrast_has_no_volumes(data):
    assert np.isnan(measure_tissue_volumes(Volume(data.astype(np.float32), GRID.affine))).all()


def test_a_scan_with_the_contrast_of_t2_has_no_volumes(maps):
    assert np.isnan(measure_tissue_volumes(Volume(1 - scan(maps).data, GRID.affine))).all()


def test_the_shares_are_bayes_rule_when_tissues_are_far_apart():
    values = np.repeat([0.2, 0.5, 0.9], [30, 50, 20])
    shares, means = separate_tissues(values, 0.1 + 0.7 * np.eye(3)[np.repeat([0, 1, 2], [30, 50, 20])])

    assert shares.sum(axis=0) == pytest.approx([30, 50, 20], abs=0.1)
    assert means == pytest.approx([0.2, 0.5, 0.9], abs=0.01)


def test_the_shares_of_the_priors_sum_to_one_and_the_ventricles_are_central():
    priors = tissue_priors(GRID)
    places = np.argwhere(priors.inside)[priors.ventricles] @ GRID.affine[:3, :3].T + GRID.affine[:3, 3]

    assert priors.shares.sum(axis=1) == pytest.approx(1)
    assert np.abs(places[:, 0]).max() < 50
    assert (places[:, 0] > 0).mean() == pytest.approx(0.5, abs=0.1)
    assert 60 < priors.ventricles.sum() * MILLILITRES < 160
