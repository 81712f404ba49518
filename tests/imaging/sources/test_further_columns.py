"""Numbers of the study's own table that are carried along under their own names."""

import math

import numpy as np
import pytest
from PIL import Image

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources import read_source
from cohortsmith.imaging.sources.changes import Changes
from cohortsmith.imaging.sources.plan import IngestPlan
from cohortsmith.pipelines.ingest.nodes import describe_participants


@pytest.fixture
def study(tmp_path) -> StudyConfig:
    for name in ("a", "b", "c"):
        Image.fromarray(np.zeros((20, 20), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    rows = ["participant_id\tdiagnosis\tage\tsex\tnWBV\teTIV", "a\tCN\t70\tF\t0.75\t1400", "b\tAD\t71\tM\tn/a\t1500"]
    (tmp_path / "participants.tsv").write_text("\n".join([*rows, "c\tAD\t72\tM\t1950-02-03\t1300"]) + "\n")
    columns = {"session": "", "further": ["nWBV", "eTIV"]}
    return StudyConfig(name="tiny", source="slices", path=str(tmp_path), labels=("CN", "AD"), columns=columns)


def test_they_reach_the_participants_under_their_names_and_unknown_ones_are_missing(study):
    inventory = read_source(study)
    plan = IngestPlan(inventory, {}, Changes({}, (), {}, (), ()), ())
    table = describe_participants(plan, {visit.key: None for visit in inventory.visits}).set_index("participant_id")

    assert table["eTIV"].to_dict() == {"sub-a": 1400, "sub-b": 1500}
    assert table["nWBV"]["sub-a"] == 0.75 and math.isnan(table["nWBV"]["sub-b"])


def test_what_is_no_number_sets_its_scan_aside_without_being_told(study):
    (rejected,) = read_source(study).rejections

    assert "nWBV is not a number" in rejected.reason
    assert "1950" not in rejected.reason


def test_without_any_the_participants_have_no_further_column(study):
    plain = study.model_copy(update={"columns": study.columns.model_copy(update={"further": ()})})
    inventory = read_source(plain)
    plan = IngestPlan(inventory, {}, Changes({}, (), {}, (), ()), ())

    assert not {"nWBV", "eTIV"} & set(describe_participants(plan, {visit.key: None for visit in inventory.visits}))


def test_a_column_that_the_table_has_not_is_an_error(study):
    columns = study.columns.model_copy(update={"further": ("hippocampus",)})

    with pytest.raises(StudyError, match="hippocampus"):
        read_source(study.model_copy(update={"columns": columns}))
