"""What the user reads where Kedro wraps what went wrong."""

from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from kedro_datasets.json import JSONDataset

from cohortsmith.cli import _not_handed_over, _unwrapped
from cohortsmith.datasets.atomically import Atomically
from cohortsmith.errors import ConfigurationError, StudyError


def failed_load(dataset) -> DatasetError:
    with pytest.raises(DatasetError) as failure:
        DataCatalog({"partitions": dataset}).load("partitions")
    return failure.value


def test_a_result_of_an_earlier_step_that_is_not_there_is_named_without_its_folder(tmp_path: Path):
    missing = Atomically(filepath=str(tmp_path / "partitions.json"), dataset={"type": "json.JSONDataset"})
    told = _unwrapped(failed_load(missing))

    assert isinstance(told, ConfigurationError)
    assert (told.where, told.got) == ("partitions", "no partitions.json")
    assert "run the whole chain" in told.remedy and str(tmp_path) not in str(told)


def test_our_own_errors_are_found_under_those_of_kedro():
    error = StudyError("no room is left")
    wrapped = DatasetError("Failed while saving data")
    wrapped.__cause__ = error

    assert _unwrapped(wrapped) is error


def test_what_is_not_understood_keeps_its_traceback(tmp_path: Path):
    (tmp_path / "broken.json").write_text("{")

    assert _unwrapped(failed_load(JSONDataset(filepath=str(tmp_path / "broken.json")))) is None


def test_a_step_that_needs_what_is_only_in_memory_is_told_which_stage_to_name():
    step = Pipeline([Node(len, "generator_seed", "n", name="step")])
    with pytest.raises(ValueError, match="Pipeline input") as failure:
        SequentialRunner().run(step, DataCatalog())
    told = _not_handed_over(failure.value)

    assert told.got == "it needs generator_seed, which a run does not keep"
    assert "--pipelines learn" in told.remedy
