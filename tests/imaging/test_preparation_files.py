"""What lies beside a prepared scan: legal names, where it comes from, and all that is needed to undo each step."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cohortsmith import __version__
from cohortsmith.config.preparation import PreparationConfig, TemplateConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.datasets.bids_folder import BidsFolder
from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.imaging.bids_tables import FolderDescription
from cohortsmith.imaging.bids_validation import validate_bids
from cohortsmith.imaging.grid import grid_of
from cohortsmith.imaging.native_space import native_grid, read_itk_text
from cohortsmith.imaging.preparation import Prepared
from cohortsmith.imaging.preparation_files import (
    describe_prepared,
    effective_parameters,
    files_beside,
    kept_names,
    prepare_file,
    source_uri,
)
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.volume import Volume, write_volume
from cohortsmith.pipelines.prepare.nodes import describe_prepared_folder

KEY = "sub-1_ses-M000"
SPACE = "MNI152NLin2009aSym"
EVERYTHING = PreparationConfig(keep=("bias_field", "registered"))
MATRIX = np.array([[1.1, 0.1, 0, 4], [0, 0.9, 0, -7], [0, 0.05, 1, 2], [0, 0, 0, 1]])


@pytest.fixture
def prepared(volume: Volume, rng: np.random.Generator) -> Prepared:
    field = Volume(1 + 0.1 * rng.random(volume.data.shape, dtype=np.float32), volume.affine)
    return Prepared(volume, MATRIX, {"scale": 1.0}, {"registration": 2.0}, grid_of(volume), field, volume)


def test_the_transform_is_always_kept_and_the_rest_if_asked_for(prepared: Prepared) -> None:
    transform = f"from-T1w_to-{SPACE}_mode-image_xfm.txt"
    assert set(files_beside(prepared, PreparationConfig(), KEY)) == {transform}
    assert set(files_beside(prepared, EVERYTHING, KEY)) == {
        transform,
        *(f"desc-biasfield_T1w.{end}" for end in ("nii.gz", "json")),
        *(f"space-{SPACE}_desc-registered_T1w.{end}" for end in ("nii.gz", "json")),
    }
    assert kept_names(EVERYTHING) == ["bias_field", "registered", "transform"]


def test_a_face_free_raw_scan_is_written_where_asked_for(prepared: Prepared, volume: Volume) -> None:
    config = PreparationConfig(deface=True, brain_extraction=True, keep=("defaced", "registered"))
    faceless = prepared._replace(defaced=volume, quality={"tissue_outside_brain": 0.9})
    files = files_beside(faceless, config, KEY)
    assert set(files) >= {"desc-defaced_T1w.nii.gz", "desc-defaced_T1w.json"}
    sidecars = {name: json.loads(content) for name, content in files.items() if name.endswith(".json")}
    stripped = {name: sidecar["SkullStripped"] for name, sidecar in sidecars.items()}
    assert stripped == {"desc-defaced_T1w.json": False, f"space-{SPACE}_desc-registered_T1w.json": True}
    record = describe_prepared(faceless, config, KEY)
    assert record["Defaced"] and record["SkullStripped"] and "deepbet" in record["Software"]
    assert "brain extraction" in record["Description"] and "face removed" in record["Description"]
    plain = describe_prepared(prepared, PreparationConfig(), KEY)
    assert not plain["Defaced"] and "deepbet" not in plain["Software"] and "face" not in plain["Description"]


def test_slices_have_no_transform(prepared: Prepared) -> None:
    slices = PreparationConfig(kind="slices")
    assert files_beside(prepared, slices, KEY) == {} and kept_names(slices) == []
    assert "Template" not in describe_prepared(prepared, slices, KEY)


def test_names_carry_the_space_of_the_users_template(prepared: Prepared) -> None:
    own = PreparationConfig(template=TemplateConfig(path="/somewhere/t.nii"))
    assert set(files_beside(prepared, own, KEY)) == {"from-T1w_to-MNI152NLin2009cSym_mode-image_xfm.txt"}


def test_the_record_says_sources_parameters_versions_and_template(prepared: Prepared) -> None:
    record = describe_prepared(prepared, EVERYTHING, KEY)
    assert record["Sources"] == ["bids:raw:sub-1/ses-M000/anat/sub-1_ses-M000_T1w.nii.gz"] == [source_uri(KEY)]
    assert record["Parameters"]["bias_field"]["spline_spacing"] == 200
    assert record["Software"]["cohortsmith"] == __version__ and "antspyx" in record["Software"]
    assert record["Template"]["Name"] == SPACE and len(record["Template"]["SHA256"]) == 64
    assert "169" not in record["Description"] and "1 mm" in record["Description"]


@pytest.mark.parametrize(("around", "stripped"), [(0.01, True), (0.9, False), (None, False)])
def test_the_record_says_whether_the_skull_is_gone(prepared: Prepared, around: float | None, stripped: bool) -> None:
    quality = {"tissue_outside_brain": around, "scale": 1.0}
    known = {name: value for name, value in quality.items() if value is not None}
    assert describe_prepared(prepared._replace(quality=known), EVERYTHING, KEY)["SkullStripped"] is stripped


def test_no_path_gets_into_a_record(prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "t.nii").write_bytes(b"a template")
    own = PreparationConfig(template=TemplateConfig(path=str(tmp_path / "t.nii")), decisions=str(tmp_path / "d.tsv"))
    assert str(tmp_path) not in json.dumps(describe_prepared(prepared, own, KEY))
    assert effective_parameters(own) == effective_parameters(PreparationConfig())


def test_slices_do_not_depend_on_how_volumes_are_corrected_and_registered() -> None:
    ways = {"registration": {"seed": 7}, "bias_field": {"spline_spacing": 90}, "resolution": 2.0}
    one, other = (PreparationConfig.model_validate({"kind": "slices", **more}) for more in ({}, ways))

    assert effective_parameters(one) == effective_parameters(other)
    assert effective_parameters(one) != effective_parameters(one.model_copy(update={"downsample": one.downsample + 1}))
    volumes = [effective_parameters(config.model_copy(update={"kind": "volume"})) for config in (one, other)]
    assert volumes[0] != volumes[1]


def test_every_step_can_be_undone_from_the_files_alone(prepared: Prepared, volume: Volume, tmp_path: Path) -> None:
    folder = RecordFolder(filepath=str(tmp_path))
    files = files_beside(prepared, EVERYTHING, KEY)
    folder.save(
        {KEY: Stored(json.loads(json.dumps(describe_prepared(prepared, EVERYTHING, KEY))), volume, files=files)}
    )

    record = folder.load()[KEY].record
    matrix = read_itk_text(next(tmp_path.glob("*_xfm.txt")))
    field = nib.load(tmp_path / f"{KEY}_desc-biasfield_T1w.nii.gz")

    np.testing.assert_allclose(matrix, record["Transform"], atol=1e-12)
    np.testing.assert_allclose(native_grid(record).affine, volume.affine)
    corrected = volume.data / prepared.bias_field.data
    np.testing.assert_allclose(corrected * np.asarray(field.dataobj, np.float32), volume.data, rtol=1e-6)


def test_a_slice_is_read_and_prepared(tmp_path: Path, rng: np.random.Generator) -> None:
    write_volume(tmp_path / "a.nii.gz", Volume(rng.random((10, 12, 1), dtype=np.float32), np.eye(4)), "")
    stored = prepare_file(KEY, str(tmp_path / "a.nii.gz"), PreparationConfig(kind="slices"))
    assert stored.volume is not None and stored.volume.data.shape == (5, 6, 1)
    assert stored.record["Kept"] == [] and stored.files == {}


@pytest.mark.slow
def test_the_folder_is_a_valid_bids_derivative(prepared: Prepared, volume: Volume, tmp_path: Path) -> None:
    name = f"<subject>/<session>/anat/<key>_space-{SPACE}_desc-prepared_T1w"
    record = describe_prepared(prepared, EVERYTHING, KEY)
    files = files_beside(prepared, EVERYTHING, KEY)
    RecordFolder(filepath=str(tmp_path), name=name).save({KEY: Stored(record, volume, files=files)})
    for beside in (
        "quality.tsv",
        "decisions.tsv",
        "rejections.json",
        "quality_rejections.json",
        "kept.json",
        "plan.json",
    ):
        (tmp_path / beside).write_text("{}")
    BidsFolder(filepath=str(tmp_path)).save(_description(KEY))

    assert [issue for issue in validate_bids(tmp_path) if issue.severity == "error"] == []
    description = json.loads((tmp_path / "dataset_description.json").read_text())
    assert description["DatasetLinks"] == {"raw": "../../../02_intermediate/study/training/bids"}


def _description(key: str) -> FolderDescription:
    study = StudyConfig(name="study", source="bids", labels=("CN", "AD"))
    row = {"key": key, "participant_id": "sub-1", "session_id": "ses-M000", "diagnosis": "CN", "age": 70.0, "sex": "F"}
    return describe_prepared_folder(study, pd.DataFrame([row]), {key: Stored({})}, role="training")
