"""What is delivered is converted or set aside with its reason: nothing is lost, nothing stops the others."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.pipelines.ingest.nodes import convert_scans, describe_participants, list_visits

SHAPE = (20, 22, 24)
ONE_WORKER = ExecutionConfig(workers=1)


def write_scan(path: Path, data: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0])), path)


def truncated(path: Path, data: np.ndarray) -> None:
    write_scan(path, data)
    path.write_bytes(path.read_bytes()[:2000])


def four_dimensional(path: Path, data: np.ndarray) -> None:
    write_scan(path, np.stack([data, data], axis=-1))


def with_nan(path: Path, data: np.ndarray) -> None:
    data = data.copy()
    data[3, 4, 5] = np.nan
    write_scan(path, data)


def missing(path: Path, data: np.ndarray) -> None:
    """Write nothing."""


BAD = {"truncated": truncated, "fourD": four_dimensional, "nan": with_nan, "missing": missing}
REASONS = {"truncated": "cannot be read", "fourD": "3-D", "nan": "not numbers", "missing": "missing", "odd": "XX"}


@pytest.fixture
def study(tmp_path: Path, rng: np.random.Generator) -> StudyConfig:
    """Two good scans among every kind of bad one."""
    data = rng.random(SHAPE)
    rows = [{"id": name, "dx": "CN", "age": 70, "sex": "F"} for name in ("good1", *BAD, "good2")]
    rows.append({"id": "odd", "dx": "XX", "age": 71, "sex": "M"})
    for name, write in {"good1": write_scan, "good2": write_scan, "odd": write_scan, **BAD}.items():
        write(tmp_path / f"{name}.nii.gz", data)
    pd.DataFrame(rows).to_csv(tmp_path / "clinical.csv", index=False)
    columns = Columns(participant="id", session="", diagnosis="dx", mmse="", site="", file="")
    return StudyConfig(
        name="bad", source="nifti", path=str(tmp_path), table="clinical.csv", labels=("CN", "AD"), columns=columns
    )


def convert(study: StudyConfig):
    inventory = list_visits(study, role="training")
    converted, rejections = {}, []
    for items, rejections in convert_scans(inventory, {}, ONE_WORKER, role="training"):  # noqa: B007
        converted |= {key: stored for key, stored in items.items() if stored is not None}
    return inventory, converted, rejections


def test_every_bad_scan_is_listed_with_its_reason_and_the_good_ones_are_converted(study):
    _, converted, rejections = convert(study)

    assert sorted(converted) == ["sub-good1_ses-01", "sub-good2_ses-01"]
    reasons = {row["key"].removeprefix("sub-").removesuffix("_ses-01"): row["reason"] for row in rejections}
    assert set(reasons) == set(REASONS)
    assert {name for name, reason in reasons.items() if REASONS[name] not in reason} == set()


def test_no_reason_tells_where_the_scans_lie(study):
    _, _, rejections = convert(study)

    assert [row["reason"] for row in rejections if study.path in row["reason"]] == []


def test_participants_are_those_whose_scan_was_converted(study):
    inventory, converted, _ = convert(study)

    table = describe_participants(inventory, converted)

    assert table["participant_id"].tolist() == ["sub-good1", "sub-good2"]
    assert table["diagnosis"].tolist() == ["CN", "CN"]


def test_a_scan_that_was_converted_before_is_left_alone(study):
    inventory, converted, _ = convert(study)

    again = [items for items, _ in convert_scans(inventory, converted, ONE_WORKER, role="training")]

    assert set().union(*again) & {"sub-good1_ses-01", "sub-good2_ses-01"} == set()


def test_a_changed_scan_is_converted_again(study, rng):
    inventory, converted, _ = convert(study)
    write_scan(Path(study.path) / "good1.nii.gz", rng.random(SHAPE))

    again = [items for items, _ in convert_scans(inventory, converted, ONE_WORKER, role="training")]

    assert "sub-good1_ses-01" in set().union(*again)


def test_a_subject_that_left_the_study_is_removed(study):
    inventory, converted, _ = convert(study)
    fewer = inventory._replace(visits=[visit for visit in inventory.visits if "good1" not in visit.key])

    first_items, _ = next(convert_scans(fewer, converted, ONE_WORKER, role="training"))

    assert first_items == {"sub-good1_ses-01": None}


def test_a_table_with_the_wrong_columns_names_them(study):
    (Path(study.path) / "clinical.csv").write_text("who,what\na,b\n")

    with pytest.raises(StudyError, match="id"):
        list_visits(study, role="training")


def test_a_duplicated_id_stops_the_study_by_name(study):
    table = Path(study.path) / "clinical.csv"
    table.write_text(table.read_text() + "good1,CN,70,F\n")

    with pytest.raises(StudyError, match="good1"):
        list_visits(study, role="training")
