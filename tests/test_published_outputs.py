"""What becomes of a step's result in the tracker: by the name of the catalog entry, and by nothing else."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cohortsmith.hooks import TrackRuns
from cohortsmith.records import TrackedRun


class Recorder:
    """Stands in for the open run and notes every call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.calls.append((name, given))


class Catalog(dict[str, Any]):
    """Gives every entry a file of its own name."""

    def __missing__(self, name: str) -> Any:
        return SimpleNamespace(_describe=lambda: {"filepath": f"/data/{name}"})


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch):
    """Save a catalog entry; give the calls that the open run gets."""

    def save(name: str, data: Any, **settings: str) -> list[tuple[str, Any]]:
        hook, run = TrackRuns(Path("/home")), Recorder()
        hook._catalog, hook.settings = Catalog(), settings
        monkeypatch.setattr(TrackRuns, "active", run)
        hook.after_dataset_saved(name, data, SimpleNamespace(name="step"))
        return run.calls

    return save


def test_each_child_is_published_once(saved):
    child = TrackedRun("classifier", {}, {}, {})

    assert saved("classifiers.tracked_runs", [child, child]) == [("publish", (child,))] * 2


def test_metrics_and_charts_go_to_the_parent(saved):
    assert saved("means.tracked_metrics", {"a": 1.0}) == [("log_metrics", ({"a": 1.0},))]
    assert saved("report.tracked_figures", {"a.png": b""}) == [("log_figures", ({"a.png": b""},))]


def test_a_model_card_publishes_its_decoder_from_the_files_beside_it(saved):
    files = Path("/data/AD.generator"), Path("/data/AD.model_card_text")

    assert saved("AD.model_card", {"kind": "vae"}) == [("publish_decoder", ({"kind": "vae"}, *files))]


def test_no_model_is_published_where_none_are_wanted(saved):
    assert saved("AD.model_card", {"kind": "vae"}, models="none") == []


@pytest.mark.parametrize("name", ["report", "report_markdown", "arms", "reference_lines", "subgroups"])
def test_the_files_of_reports_and_tables_become_artifacts(saved, name):
    assert saved(name, None) == [("log_artifact", (Path(f"/data/{name}"),))]


@pytest.mark.parametrize(
    "name", ["splits", "predictions", "lineage", "AD.copying", "AD.quarantine", "training.participants", "AD.generator"]
)
def test_what_names_participants_stays_at_home(saved, name):
    assert saved(name, None) == []
