import numpy as np
import pytest
from nibabel.eulerangles import euler2mat

from cohortsmith.imaging.grid import resample
from cohortsmith.imaging.quality import (
    correlation,
    measure_alignment,
    measure_bias,
    measure_transform,
    noise,
    outliers,
    template_correlation,
)
from cohortsmith.imaging.template import brain_mask, crop_grid, template
from cohortsmith.imaging.volume import Volume


def test_the_template_resembles_itself_and_not_its_shifted_copy() -> None:
    shift = np.eye(4)
    shift[:3, 3] = 5, 8, 4
    shifted = resample(template(4.0), shift, crop_grid(4.0))
    assert template_correlation(template(4.0), 4.0) == pytest.approx(1)
    assert template_correlation(shifted, 4.0) < 0.75


def test_the_correlation_hardly_depends_on_the_grid() -> None:
    shift = np.eye(4)
    shift[:3, 3] = 4, 4, 4
    found = [template_correlation(resample(template(1.0), shift, crop_grid(r)), r) for r in (1.0, 2.0)]
    assert found[0] == pytest.approx(found[1], abs=0.03)


def test_a_constant_side_correlates_with_nothing() -> None:
    assert correlation(np.ones(5, np.float32), np.arange(5, dtype=np.float32)) == 0


def test_noise_is_found_under_a_slope(rng: np.random.Generator) -> None:
    slope = np.broadcast_to(np.arange(60.0)[:, None, None], (60, 50, 40))
    data = (slope + rng.normal(0, 3, (60, 50, 40))).astype(np.float32)
    assert noise(data, np.ones(data.shape, bool)) == pytest.approx(3, rel=0.03)


def test_head_tissue_around_the_brain_is_noticed() -> None:
    bare = template(4.0)
    head = Volume(np.maximum(bare.data, 0.5 * brain_mask(4.0, 20.0).data), bare.affine)
    assert measure_alignment(bare, 4.0)["tissue_outside_brain"] < 0.05
    assert measure_alignment(head, 4.0)["tissue_outside_brain"] > 0.95


def test_scale_shear_and_rotation_are_told_apart() -> None:
    turn = np.eye(4)
    turn[:3, :3] = euler2mat(0, 0, np.radians(20)) @ np.diag([1.1, 1.1, 1.1])
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    assert measure_transform(turn) == pytest.approx({"scale": 1.1, "shear": 0, "rotation_degrees": 20}, abs=1e-9)
    assert measure_transform(sheared) == pytest.approx({"scale": 1, "shear": 0.3, "rotation_degrees": 0}, abs=1e-6)


def test_bias_range_is_the_ratio_of_bright_to_dark(rng: np.random.Generator) -> None:
    scan = np.zeros((20, 20, 20), np.float32)
    scan[5:15] = 100
    field = np.ones_like(scan)
    field[10:15] = 2
    field[:5] = 50  # air does not count
    affine = np.diag([4.0, 4, 4, 1])
    assert measure_bias(Volume(field, affine), Volume(scan, affine)) == {"bias_range": 2.0}


@pytest.fixture
def cohort(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    return {
        f"sub-{i:02d}_ses-01": {"template_correlation": 0.8 + 0.01 * z, "scale": 1 + 0.02 * z, "shear": 0.05}
        for i, z in enumerate(rng.normal(size=20))
    }


def test_an_ordinary_cohort_has_no_outlier(cohort: dict[str, dict[str, float]]) -> None:
    assert outliers(cohort) == []


def test_the_one_bad_scan_is_named_with_its_number(cohort: dict[str, dict[str, float]]) -> None:
    cohort["sub-03_ses-01"]["template_correlation"] = 0.5
    (found,) = outliers(cohort)
    assert (found.key, found.number, found.value) == ("sub-03_ses-01", "template_correlation", 0.5)
    assert found.z_score < -3.5


def test_only_the_bad_side_counts_except_for_size(cohort: dict[str, dict[str, float]]) -> None:
    cohort["sub-03_ses-01"] |= {"template_correlation": 0.99, "shear": 0.0, "scale": 0.5}
    assert [found.number for found in outliers(cohort)] == ["scale"]


def test_a_handful_of_scans_has_no_outliers() -> None:
    assert outliers({str(i): {"scale": 1.0 + 10 * (i == 3)} for i in range(4)}) == []
