"""The search for an architecture: on whose scans, resumed, and what wins."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.classifier import read_classifier
from cohortsmith.config.random_search import RandomSearchConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import ConfigurationError, TrainingError
from cohortsmith.execution import Outcome
from cohortsmith.pipelines.judge import search_nodes
from cohortsmith.pipelines.judge.search_nodes import (
    Search,
    choose_architecture,
    plan_search,
    search_architectures,
    track_search,
)

STUDY = StudyConfig(name="tiny", source="bids", labels=("CN", "AD"))
SPACE = RandomSearchConfig(
    n_architectures=3, n_folds=2, blocks=(1, 2), optimizer_steps=2, evaluations=1, batch_size=4, dense_layers=(1, 2)
)
ONE = ExecutionConfig(workers=1)


def splits() -> pd.DataFrame:
    """Give twelve subjects of the full training set, the first with two sessions, and four held out."""
    names = ["sub-00", *(f"sub-{row:02d}" for row in range(16))]
    table = pd.DataFrame({"participant_id": names, "session_id": ["ses-2", *["ses-1"] * 16]})
    sets = ["train-4", *["train-4"] * 6, *["train-full"] * 6, *[None] * 4]
    keys = table["participant_id"] + "_" + table["session_id"]
    diagnosis = np.where(table.index % 2 == 1, "AD", "CN")
    diagnosis[0] = "AD"
    return table.assign(key=keys, fingerprint=keys, training_set=sets, diagnosis=diagnosis)


@pytest.fixture
def search(tmp_path: Path) -> Search:
    np.save(tmp_path / "images.npy", np.random.default_rng(0).random((17, 8, 8), dtype=np.float32))
    return plan_search(STUDY, SPACE, splits(), np.load(tmp_path / "images.npy", mmap_mode="r"), 1)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done = []

    def run_items(function, items, **settings):
        for key, arguments in items.items():
            done.append(key)
            yield Outcome(key, function(*arguments))

    monkeypatch.setattr(search_nodes, "run_items", run_items)
    return done


def carry_out(search: Search, done=None) -> dict:
    saved = dict(done or {})
    for part in search_architectures(search, saved, ONE):
        saved |= part
    return {key: stored for key, stored in saved.items() if stored is not None}


def test_it_sees_one_scan_of_each_subject_of_the_full_training_set_and_no_other(search):
    for job in search.jobs.values():
        rows = job.data.rows
        assert sorted(splits().loc[rows, "participant_id"]) == [f"sub-{row:02d}" for row in range(12)]
        assert "sub-00_ses-1" in set(splits().loc[rows, "key"])
        assert sorted([*job.fold.training, *job.fold.validation]) == list(range(12))


def test_a_stopped_search_goes_on_with_what_has_no_score_and_comes_to_the_same_end(search, here):
    whole = carry_out(search)
    first = dict(list(whole.items())[:2])
    here.clear()
    again = carry_out(search, first)

    assert here == list(search.jobs)[2:]
    assert {key: one.record for key, one in again.items()} == {key: one.record for key, one in whole.items()}
    winner, table = choose_architecture(search, again)
    assert winner == choose_architecture(search, whole)[0]
    best = table["balanced_accuracy"].idxmax()
    assert read_classifier(winner) == search.jobs[f"architecture-{best:03d}_fold-0"].trial.config
    assert table.columns[:4].tolist() == ["architecture", "balanced_accuracy", "fold_0", "fold_1"]


def test_other_people_or_another_space_make_all_scores_outdated(search, here, tmp_path):
    done = carry_out(search)
    here.clear()
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    other = splits().assign(fingerprint="other")
    carry_out(plan_search(STUDY, SPACE, other, images, 1), done)
    longer = SPACE.model_copy(update={"optimizer_steps": 3})
    carry_out(plan_search(STUDY, longer, splits(), images, 1), done)

    assert here == [*search.jobs, *search.jobs]


@pytest.mark.parametrize("error", [TrainingError("no number"), ConfigurationError("no layer")])
def test_a_diverged_architecture_is_out_and_another_error_stops_the_run_at_the_end(search, monkeypatch, error):
    def run_items(function, items, **settings):
        for key in items:
            yield Outcome(key, error=error) if key == "architecture-001_fold-0" else Outcome(key, 0.5)

    monkeypatch.setattr(search_nodes, "run_items", run_items)
    saved, raised = {}, []
    try:
        for part in search_architectures(search, {}, ONE):
            saved |= part
    except ConfigurationError as stopped:
        raised.append(stopped)

    diverged = isinstance(error, TrainingError)
    assert raised == [error] * (not diverged)
    assert len(saved) == 5 + diverged
    winner, table = choose_architecture(search, saved)
    assert math.isnan(table["balanced_accuracy"][1])
    assert read_classifier(winner) == search.jobs["architecture-000_fold-0"].trial.config


def test_every_architecture_is_a_child_run_with_its_mean_and_its_choices(search, here):
    _, table = choose_architecture(search, carry_out(search))
    children = track_search(STUDY, search, table)

    assert [one.params["kind"] for one in children] == ["random-search"] * 3
    assert children[1].metrics["validation.balanced_accuracy"] == table["balanced_accuracy"][1]
    assert children[1].params["channels"] == search.jobs["architecture-001_fold-0"].trial.config.channels
    assert [children[1].params[name] for name in ("study", "labels", "seed")] == ["tiny", "CN-AD", 1]
