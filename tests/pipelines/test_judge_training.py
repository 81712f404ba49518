"""One training that fails stops no other one."""

import pytest

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.errors import TrainingError
from cohortsmith.execution import Outcome
from cohortsmith.pipelines.judge import nodes
from cohortsmith.pipelines.judge.jobs import PlannedJob
from cohortsmith.pipelines.judge.nodes import train_classifiers


def test_the_other_trainings_are_saved_before_the_error_of_one_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_items(function, items, **settings):
        return (Outcome(key, error=TrainingError("no number")) if key == "a" else Outcome(key, {}) for key in items)

    monkeypatch.setattr(nodes, "run_items", run_items)
    jobs = {key: PlannedJob(None, f"mark of {key}", {"arm": key}) for key in ("a", "b", "c")}
    saved, parts = {}, train_classifiers(jobs, {}, ExecutionConfig())
    for _ in range(3):
        saved |= next(parts)
    with pytest.raises(TrainingError, match="no number"):
        next(parts)
    assert {key: stored.record for key, stored in saved.items()} == {
        key: {"arm": key, "fingerprint": f"mark of {key}"} for key in ("b", "c")
    }
