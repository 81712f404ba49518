from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from cohortsmith.cli import project_root
from cohortsmith.hooks import RunParameters, TrackRuns
from cohortsmith.settings import HOOKS


def test_every_study_has_an_experiment_of_its_own_name(monkeypatch):
    monkeypatch.setattr(RunParameters, "name", "phantom")
    bootstrap_project(project_root())
    with KedroSession.create(project_root(), env="smoke") as session:
        session.load_context()
    RunParameters.config = None

    trackers = [hook for hook in HOOKS if isinstance(hook, TrackRuns)]
    assert [tracker.settings["experiment"] for tracker in trackers] == ["smoke"]
