from pathlib import Path

import numpy as np
import pytest

from cohortsmith.config.preparation import BiasFieldConfig, PreparationConfig, RegistrationConfig
from cohortsmith.config.study import Columns, PhantomConfig, StudyConfig
from cohortsmith.imaging.defacing import is_not_face
from cohortsmith.imaging.grid import downsample
from cohortsmith.imaging.phantom import make_scan
from cohortsmith.imaging.preparation import prepare_scan, to_model_grid
from cohortsmith.imaging.sources import convert_visit, read_source
from cohortsmith.imaging.template import brain_mask, crop_grid, template
from cohortsmith.imaging.volume import Volume

FAST = PreparationConfig(
    resolution=2.0,
    bias_field=BiasFieldConfig(resolution=12.0, iterations=(25, 25, 25)),
    registration=RegistrationConfig(
        template_resolution=4.0,
        iterations=(100, 30),
        shrink_factors=(2, 1),
        smoothing_sigmas=(4, 2),
        sampling_fraction=0.15,
        correspondence=None,
    ),
)


@pytest.mark.ants
def test_a_head_becomes_an_aligned_volume_with_its_numbers() -> None:
    prepared = prepare_scan(make_scan(PhantomConfig(), "training", 1).volume, FAST, "sub-1_ses-1")
    half = downsample(Volume(np.zeros(crop_grid(2.0).shape, np.float32), crop_grid(2.0).affine), 2)
    assert prepared.volume.data.shape == (42, 52, 45) and prepared.volume.data.dtype == np.float32
    np.testing.assert_allclose(prepared.volume.affine, half.affine)
    assert (prepared.volume.data.min(), prepared.volume.data.max()) == (0, 1)
    assert set(prepared.seconds) == {"bias_field", "registration", "resampling"}
    assert prepared.quality["template_correlation"] > 0.8
    assert prepared.quality["outside_view"] < 0.01
    assert 0.8 < prepared.quality["scale"] < 1.25 and prepared.quality["bias_range"] > 1


@pytest.mark.ants
@pytest.mark.slow
def test_only_the_brain_is_registered_and_no_derivative_holds_the_face() -> None:
    scan = make_scan(PhantomConfig(), "training", 1).volume
    whole = prepare_scan(scan, FAST, "sub-1_ses-1")
    assert whole.defaced is None
    config = FAST.model_copy(update={"brain_extraction": True, "deface": True, "keep": ("defaced",)})
    brain = prepare_scan(scan, config, "sub-1_ses-1")
    assert list(brain.seconds) == ["bias_field", "brain_extraction", "registration", "defacing", "resampling"]
    assert brain.defaced is not None and brain.registered is not None and whole.registered is not None
    kept = is_not_face(scan, brain.transform)
    np.testing.assert_array_equal(brain.defaced.data, np.where(kept, scan.data, 0))
    outside = brain_mask(2.0, 12.0).data == 0
    assert brain.registered.data[outside].sum() < 0.02 * whole.registered.data[outside].sum()
    assert brain.quality["template_correlation"] > 0.8


@pytest.mark.ants
def test_removing_the_face_changes_neither_the_registration_nor_the_brain() -> None:
    scan = make_scan(PhantomConfig(), "training", 1).volume
    whole, faceless = (prepare_scan(scan, FAST.model_copy(update={"deface": deface})) for deface in (False, True))
    np.testing.assert_array_equal(whole.transform, faceless.transform)
    assert whole.registered is not None and faceless.registered is not None
    inside = brain_mask(2.0).data > 0
    np.testing.assert_array_equal(whole.registered.data[inside], faceless.registered.data[inside])
    eyes = crop_grid(2.0)
    left = np.rint(np.linalg.solve(eyes.affine, [-32.0, 70, -40, 1])[:3]).astype(int)
    assert whole.registered.data[tuple(left)] > 0 and faceless.registered.data[tuple(left)] == 0


@pytest.mark.ants
def test_what_is_no_head_does_not_resemble_the_template(rng: np.random.Generator) -> None:
    blob = rng.normal(100, 10, (40, 40, 40)).astype(np.float32)
    prepared = prepare_scan(Volume(blob, np.diag([4.0, 4, 4, 1])), FAST, "sub-9_ses-1")
    assert prepared.quality["template_correlation"] < FAST.minimum_correlation


@pytest.mark.ants
def test_a_brain_cut_off_by_the_field_of_view_is_measured() -> None:
    whole = make_scan(PhantomConfig(), "training", 0).volume
    cut = Volume(whole.data[:, :, : whole.data.shape[2] * 6 // 10], whole.affine)
    assert prepare_scan(cut, FAST).quality["outside_view"] > 0.05


def test_slices_are_only_halved_and_scaled(rng: np.random.Generator) -> None:
    image = Volume(rng.random((176, 208, 1), dtype=np.float32) * 255, np.eye(4))
    prepared = prepare_scan(image, PreparationConfig(kind="slices", downsample=2))
    assert prepared.volume.data.shape == (88, 104, 1)
    assert (prepared.volume.data.min(), prepared.volume.data.max()) == (0, 1)
    assert prepared.quality == {} and prepared.seconds == {}
    np.testing.assert_array_equal(prepared.transform, np.eye(4))


def test_slices_can_keep_their_size(rng: np.random.Generator) -> None:
    image = Volume(rng.random((176, 208, 1), dtype=np.float32), np.eye(4))
    assert prepare_scan(image, PreparationConfig(kind="slices", downsample=1)).volume.data.shape == (176, 208, 1)


@pytest.mark.parametrize(
    ("changes", "shape", "first"),
    [
        ({}, (84, 104, 89), (-83.5, -118.5, -77.5)),
        ({"downsample": 1}, (169, 208, 179), (-84, -119, -78)),
        ({"shape": (80, 96, 80)}, (80, 96, 80), (-79.5, -110.5, -69.5)),
        ({"shape": (96, 112, 96)}, (96, 112, 96), (-95.5, -126.5, -83.5)),
        ({"shape": (42, 52, 89), "shape_rule": "resample"}, (42, 52, 89), (-82.5, -117.5, -77.5)),
    ],
)
def test_the_models_grid_has_the_papers_geometry_or_the_shape_asked_for(changes, shape, first) -> None:
    """169 x 208 x 179 voxels of 1 mm from (-84, -119, -78), halved (Chadebec et al. 2022, section 1.5)."""
    config = PreparationConfig(**changes)
    box = crop_grid(1.0)
    ramp = np.arange(169, dtype=np.float32)[:, None, None] + np.zeros(box.shape, np.float32)
    made = to_model_grid(Volume(ramp, box.affine), config)
    assert made.data.shape == shape and (made.data.min(), made.data.max()) == (0, 1)
    np.testing.assert_allclose(made.affine[:3, 3], first)


@pytest.mark.ants
@pytest.mark.slow
@pytest.mark.real_data
def test_a_real_scan_is_aligned_at_the_papers_size(shared: Path) -> None:
    study = StudyConfig(
        name="real",
        source="bids",
        path=str(shared / "data" / "ds002748"),
        labels=("control", "depr"),
        columns=Columns(session="", diagnosis="group", sex="gender"),
    )
    visit = read_source(study).visits[0]
    settings = {
        "template_resolution": 3.0,
        "iterations": (200, 100),
        "shrink_factors": (2, 1),
        "smoothing_sigmas": (3, 1.5),
    }
    config = PreparationConfig(bias_field=FAST.bias_field, registration=RegistrationConfig(**settings))
    prepared = prepare_scan(convert_visit(visit).volume, config, visit.key)
    assert prepared.volume.data.shape == (84, 104, 89)
    assert prepared.quality["template_correlation"] > 0.65
    assert prepared.quality["tissue_outside_brain"] < 0.05  # skull-stripped
    inside = downsample(brain_mask(1.0), 2).data > 0.5
    reference = downsample(template(1.0), 2).data
    assert np.corrcoef(prepared.volume.data[inside], reference[inside])[0, 1] > 0.5
