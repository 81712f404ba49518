import numpy as np
import pytest
from scipy import ndimage

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.phantom import deformation, draw_cohort, truth_table
from cohortsmith.imaging.phantom.anatomy import draw_anatomy, draw_velocity, region_volume
from cohortsmith.imaging.phantom.regions import load_regions

EFFECTS = (-1.5, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)


@pytest.fixture(scope="module")
def by_effect():
    """One person's deformation to the template at several strengths of the disease."""
    return [deformation.exponential(-draw_velocity(np.random.default_rng(3), effect)) for effect in EFFECTS]


@pytest.fixture(scope="module")
def truth():
    return truth_table(PhantomConfig(n_subjects=30), "training").join(
        draw_cohort(PhantomConfig(n_subjects=30), "training")[["diagnosis"]]
    )


def test_template_regions_have_human_sizes():
    regions = load_regions()
    litres = {name: region.sum() * 8e-6 for name, region in regions._asdict().items() if name != "affine"}
    assert 0.012 < litres["ventricles"] < 0.025
    assert 0.005 < litres["hippocampi"] < 0.009
    assert litres["temporal"] > 3 * litres["hippocampi"]


@pytest.mark.parametrize("name", ["ventricles", "hippocampi"])
def test_template_regions_are_alike_on_both_sides(name):
    regions = load_regions()
    region = getattr(regions, name)
    x = regions.affine[0, 3] + 2 * np.arange(region.shape[0])
    left, right = region[x < 0].sum(), region[x > 0].sum()
    assert left == pytest.approx(right, rel=0.05)


def test_the_disease_widens_the_ventricles_and_shrinks_the_hippocampi_monotonically(by_effect):
    regions = load_regions()
    ventricles = [region_volume(regions.ventricles, each) for each in by_effect]
    hippocampi = [region_volume(regions.hippocampi, each) for each in by_effect]
    assert (np.diff(ventricles) > 1000).all()  # mm^3
    assert (np.diff(hippocampi) < -200).all()


def test_every_deformation_is_invertible_even_of_the_gravely_ill(by_effect):
    assert min(deformation.jacobian_determinant(each).min() for each in by_effect) > 0


def test_every_subject_is_a_diffeomorphic_template(config):
    cohort = draw_cohort(config, "training")
    for index in range(5):
        anatomy = draw_anatomy(config, "training", index, cohort.iloc[index])
        assert deformation.jacobian_determinant(deformation.exponential(anatomy.velocity)).min() > 0
        assert deformation.jacobian_determinant(anatomy.backward).min() > 0


def test_the_true_volume_is_the_integral_of_the_local_growth():
    velocity = draw_velocity(np.random.default_rng(3), 0.3)
    regions = load_regions()
    growth = deformation.jacobian_determinant(deformation.exponential(velocity))
    points = np.indices(regions.ventricles.shape) * 2.0 + regions.affine[:3, 3].reshape(3, 1, 1, 1)
    index = (points - deformation.ORIGIN.reshape(3, 1, 1, 1)) / deformation.SPACING
    integral = (regions.ventricles * ndimage.map_coordinates(growth, index, order=1)).sum() * 8
    # The determinant is differenced on the 5 mm lattice, hence the tolerance.
    assert region_volume(regions.ventricles, deformation.exponential(-velocity)) == pytest.approx(integral, rel=0.12)


def test_a_region_that_does_not_move_keeps_its_volume():
    regions = load_regions()
    still = np.zeros((3, *deformation.SHAPE))
    assert region_volume(regions.ventricles, still) == pytest.approx(regions.ventricles.sum() * 8, rel=1e-5)
    assert region_volume(regions.hippocampi, still + 3.0) == pytest.approx(regions.hippocampi.sum() * 8, rel=1e-3)


def test_poses_differ_and_keep_the_head_upright(config):
    cohort = draw_cohort(config, "training")
    poses = [draw_anatomy(config, "training", index, cohort.iloc[index]).pose for index in range(4)]
    assert len({pose.tobytes() for pose in poses}) == 4
    assert all(0.6 < np.linalg.det(pose) < 1.6 for pose in poses)
    assert all(np.diag(pose)[:3].min() > 0.7 for pose in poses)


def test_patients_are_more_affected_but_the_groups_overlap(truth):
    effect = truth.groupby("diagnosis")["effect"]
    assert effect.mean()["AD"] > effect.mean()["CN"] + 0.8
    assert effect.min()["AD"] < effect.max()["CN"]


def test_volumes_follow_the_effect_without_being_it(truth):
    correlation = truth[["effect", "ventricle_volume", "hippocampus_volume"]].corr()["effect"]
    assert 0.8 < correlation["ventricle_volume"] < 0.98
    assert -0.98 < correlation["hippocampus_volume"] < -0.8


def test_age_contributes_a_little(config):
    person = draw_cohort(config, "training").iloc[0]
    effects = [draw_anatomy(config, "training", 0, person.replace(person["age"], age)).effect for age in (65.0, 75.0)]
    assert effects[1] - effects[0] == pytest.approx(0.2)


def test_an_empty_study_has_an_empty_truth():
    assert list(truth_table(PhantomConfig(n_external=0), "external")) == [
        "subject",
        "effect",
        "ventricle_volume",
        "hippocampus_volume",
    ]
