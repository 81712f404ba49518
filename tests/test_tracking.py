"""One parent, its children once each, nothing that names a person or a path, and no run left open for ever."""

import contextlib
import fcntl
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.tracking import MlflowClient

from cohortsmith import tracking
from cohortsmith.errors import ConfigurationError
from cohortsmith.records import TrackedRun
from cohortsmith.tracking import command
from cohortsmith.tracking.flat_parameters import flatten_parameters

CANARY = "DOE-JOHN-1931"
CONFIG = {
    "study": {"name": "smoke", "path": f"/data/{CANARY}", "table": f"{CANARY}.csv", "external_path": ""},
    "generator": {"latent_dim": 10, "network": {"hidden": [500, 400]}},
    "seed": 3,
}
RUN_PARAMS = {
    "env": "oasis",
    "pipeline_names": ["learn", "judge"],
    "project_path": f"/home/{CANARY}",
    "runner": "<kedro.runner.sequential_runner.SequentialRunner object at 0x7fdf6cc0db10>",
    "runtime_params": {"study": {"path": f"/data/{CANARY}"}, "seed": 4},
}


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make its tables: once is enough."""
    folder = tmp_path_factory.mktemp("empty")
    with contextlib.chdir(folder):
        tracking.open_store(f"sqlite:///{folder}/mlflow.db", "other", str(folder))
    return folder / "mlflow.db"


@pytest.fixture
def store(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> tracking.Store:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    shutil.copy(empty_database, tmp_path / "runs" / "mlflow.db")
    return tracking.open_store(f"sqlite:///{tmp_path}/runs/mlflow.db", "smoke", f"{tmp_path}/runs/artifacts")


@pytest.fixture
def parent(store: tracking.Store) -> tracking.ParentRun:
    return tracking.start_parent(store, "smoke", CONFIG, RUN_PARAMS)


def classifier_run(arm: str, seed: int, score: float) -> TrackedRun:
    return TrackedRun(
        name=f"classifier {arm} seed {seed}",
        params={"kind": "classifier", "arm": arm, "seed": seed, "n_synthetic": 100},
        metrics={"test.balanced_accuracy": score},
        curves={"train.loss": [0.7, 0.5, 0.4]},
        figures={"samples.png": b"\x89PNG\r\n\x1a\nrest"},
    )


def runs_of(store: tracking.Store, query: str = "") -> list:
    return list(store.client.search_runs([store.experiment_id], query))


class TestOneParentAndItsChildren:
    def test_each_child_is_there_once_below_the_parent(self, store, parent):
        for seed in (0, 1):
            parent.publish(classifier_run("real", seed, 0.6))
        parent.end("FINISHED")

        children = runs_of(store, f"tags.`mlflow.parentRunId` = '{parent.run_id}'")
        assert sorted(run.info.run_name for run in children) == ["classifier real seed 0", "classifier real seed 1"]
        assert len(runs_of(store)) == 3
        assert {run.info.status for run in runs_of(store)} == {"FINISHED"}

    def test_children_are_found_by_parameter_and_sorted_by_metric(self, store, parent):
        parent.publish(classifier_run("real", 0, 0.6))
        parent.publish(classifier_run("real+synthetic", 0, 0.7))
        parent.publish(classifier_run("real+synthetic", 1, 0.8))

        found = store.client.search_runs(
            [store.experiment_id],
            "params.arm = 'real+synthetic' and metrics.`test.balanced_accuracy` > 0.1",
            order_by=["metrics.`test.balanced_accuracy` DESC"],
        )

        assert [run.data.metrics["test.balanced_accuracy"] for run in found] == [0.8, 0.7]

    def test_a_curve_keeps_every_step_once_and_in_order(self, store, parent):
        values = [1000.0 - step for step in range(2500)]

        child = parent.publish(TrackedRun("generator AD", {"kind": "generator"}, {}, {"train.elbo": values}))

        history = store.client.get_metric_history(child, "train.elbo")
        assert [(point.step, point.value) for point in history] == list(enumerate(values))

    def test_figures_and_files_become_artifacts(self, store, parent, tmp_path):
        report = tmp_path / "report.html"
        report.write_text("<p>report</p>")

        child = parent.publish(classifier_run("real", 0, 0.6))
        parent.log_artifact(report)

        assert [item.path for item in store.client.list_artifacts(child, "figures")] == ["figures/samples.png"]
        assert [item.path for item in store.client.list_artifacts(parent.run_id)] == ["report.html"]

    def test_the_parent_holds_the_flat_configuration_and_the_means(self, store, parent):
        parent.log_metrics({"real+synthetic/test.balanced_accuracy": 0.7})

        data = store.client.get_run(parent.run_id).data
        assert data.params["generator.latent_dim"] == "10"
        assert data.params["generator.network.hidden"] == "[500, 400]"
        assert data.metrics == {"real and synthetic/test.balanced_accuracy": 0.7}

    def test_a_child_that_cannot_be_written_is_failed_and_not_left_open(self, store, parent):
        with pytest.raises(ValueError, match="could not convert"):
            parent.publish(TrackedRun("broken", {}, {"test.auc": "high"}, {}))  # type: ignore[dict-item]

        assert [run.info.status for run in runs_of(store, "attributes.run_name = 'broken'")] == ["FAILED"]

    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
    def test_the_parent_ends_with_the_status_it_is_given(self, store, parent, status):
        parent.end(status)

        run = store.client.get_run(parent.run_id).info
        assert run.status == status
        assert run.end_time >= run.start_time


class TestPrivacy:
    def test_nothing_stored_names_the_user_the_script_or_a_path(self, store, parent, tmp_path):
        parent.publish(classifier_run("real", 0, 0.6)._replace(tags={"note": f"/data/{CANARY}"}))
        parent.end("FINISHED")

        stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        tags = {name for run in runs_of(store) for name in run.data.tags}
        assert CANARY.encode() not in stored
        assert not tags & {"mlflow.user", "mlflow.source.name", "mlflow.source.type"}
        assert {run.info.user_id for run in runs_of(store)} <= {"", "unknown"}

    def test_a_hidden_path_is_shown_as_such_and_an_empty_one_as_empty(self):
        flat = flatten_parameters(CONFIG)

        assert (flat["study.path"], flat["study.table"], flat["study.external_path"]) == ("(path)", "(path)", "")

    @given(st.text(max_size=20), st.sampled_from(["/", "\\"]), st.text(max_size=20))
    def test_any_text_with_a_separator_is_hidden(self, before, separator, after):
        assert flatten_parameters({"name": before + separator + after}) == {"name": "(path)"}

    def test_the_command_repeats_every_choice_but_no_path(self):
        assert tracking.exact_command(RUN_PARAMS) == (
            "kedro run --env oasis --pipelines learn,judge --params 'study.path=(path),seed=4'"
        )

    def test_a_run_without_choices_is_the_bare_command(self):
        nothing = {"env": "local", "pipeline_names": None, "runtime_params": {}, "tags": ()}

        assert tracking.exact_command(nothing) == "kedro run"


def test_a_search_is_published_with_its_table_and_its_winner():
    assert {"architectures", "optimised_classifier"} <= tracking.ARTIFACTS


class TestCodeVersion:
    @pytest.fixture
    def checkout(self, tmp_path, monkeypatch) -> Path:
        """Give a project of one package below version control, with the code in it."""
        package = tmp_path / "project" / "package"
        (package / "tracking").mkdir(parents=True)
        (package / "__init__.py").write_text("")
        monkeypatch.setattr(command, "__file__", str(package / "tracking" / "command.py"))
        return package

    def commit(self, package: Path) -> str:
        who = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
        steps = [["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"], ["rev-parse", "HEAD"]]
        return [subprocess.check_output(["git", "-C", str(package), *one], text=True) for one in steps][-1].strip()

    def test_a_checkout_is_known_by_its_commit_and_whether_it_was_changed_since(self, checkout):
        commit = self.commit(checkout)

        assert command.code_facts() == {"commit": commit, "code_changed": "no"}
        (checkout / "__init__.py").write_text("changed = True")
        assert command.code_facts() == {"commit": commit, "code_changed": "yes"}
        assert command.code_state() == {"mlflow.source.git.commit": commit, "code_changed_since_commit": "yes"}

    def test_code_installed_below_anothers_checkout_is_no_part_of_it(self, checkout):
        (checkout.parent / ".gitignore").write_text("package")
        self.commit(checkout.parent)

        assert command.code_facts() == {"commit": "", "code_changed": ""}
        assert command.code_state() == {}

    def test_outside_version_control_there_is_no_commit(self, checkout, monkeypatch):
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(checkout.parents[2]))

        assert command.code_facts()["commit"] == ""


class TestStore:
    def test_opening_it_again_finds_the_same_experiment(self, store, tmp_path):
        again = tracking.open_store(f"sqlite:///{tmp_path}/runs/mlflow.db", "smoke", f"{tmp_path}/runs/artifacts")

        assert again.experiment_id == store.experiment_id

    def test_an_experiment_deleted_in_the_ui_comes_back(self, store, tmp_path):
        store.client.delete_experiment(store.experiment_id)

        again = tracking.open_store(f"sqlite:///{tmp_path}/runs/mlflow.db", "smoke", f"{tmp_path}/runs/artifacts")

        assert again.client.get_experiment(again.experiment_id).lifecycle_stage == "active"

    def test_a_relative_database_is_refused(self, tmp_path):
        with pytest.raises(ConfigurationError, match="absolute"):
            tracking.open_store("sqlite:///mlruns/mlflow.db", "smoke", str(tmp_path))

    def test_the_tables_are_made_by_one_process_at_a_time(self, tmp_path):
        lock = tmp_path / ".mlflow.db.lock"
        with lock.open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            other = subprocess.Popen([sys.executable, "-c", OPEN, str(tmp_path)], cwd=tmp_path, stdout=subprocess.PIPE)
            assert other.stdout is not None
            assert other.stdout.readline() == b"opening\n"
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(timeout=3)
            assert not (tmp_path / "mlflow.db").exists()

        assert other.wait(timeout=60) == 0
        assert "runs" in tables_of(tmp_path / "mlflow.db")


class TestDeadRuns:
    def test_what_a_killed_process_left_running_is_marked_as_killed(self, store, tmp_path):
        victim = subprocess.run(
            [sys.executable, "-c", DIE, str(tmp_path / "runs")], cwd=tmp_path, check=False, stdout=subprocess.PIPE
        )
        assert victim.returncode == -signal.SIGKILL
        (left,) = runs_of(store, "attributes.status = 'RUNNING'")

        closed = tracking.close_dead_runs(store)

        assert closed == [left.info.run_id]
        assert store.client.get_run(left.info.run_id).info.status == "KILLED"
        assert tracking.close_dead_runs(store) == []

    def test_a_killed_run_of_another_study_is_closed_as_well(self, store, tmp_path):
        other = tracking.open_store(f"sqlite:///{tmp_path}/runs/mlflow.db", "other", f"{tmp_path}/runs/artifacts")
        left = tracking.start_parent(other, "other", {}, {})

        assert tracking.close_dead_runs(store) == [left.run_id]

    def test_finished_runs_and_runs_of_others_are_left_alone(self, store, parent):
        parent.end("FINISHED")
        foreign = store.client.create_run(store.experiment_id).info.run_id

        assert tracking.close_dead_runs(store) == []
        assert store.client.get_run(parent.run_id).info.status == "FINISHED"
        assert store.client.get_run(foreign).info.status == "RUNNING"


class TestUserInterface:
    def test_it_listens_on_this_machine_only_with_one_worker_and_no_reports(self, tmp_path):
        command, environment = tracking.ui_command(tmp_path / "mlflow.db", 5055)

        options = dict(zip(command[4::2], command[5::2], strict=True))
        assert command[1:4] == ["-m", "mlflow", "ui"]
        assert (options["--host"], options["--port"], options["--workers"]) == ("127.0.0.1", "5055", "1")
        assert options["--backend-store-uri"] == f"sqlite:///{tmp_path}/mlflow.db"
        assert environment["DO_NOT_TRACK"] == "true"
        assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"

    def test_its_address_opens_the_runs_of_the_experiment(self):
        assert tracking.ui_address(5055, "3") == (
            "http://127.0.0.1:5055/#/experiments/3/runs?workflowType=machine_learning"
        )


NO_NETWORK = ["unshare", "--map-root-user", "--net"]


def can_isolate() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*NO_NETWORK, "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_isolate(), reason="this machine does not let a test leave the network (unshare --net)")
def test_tracking_works_without_any_network(tmp_path):
    isolated = [*NO_NETWORK, sys.executable, "-c", OPEN, str(tmp_path)]
    finished = subprocess.run(isolated, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    assert finished.returncode == 0, finished.stderr[-2000:]
    experiments = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_experiments()
    assert "smoke" in {one.name for one in experiments}
    assert json.loads(finished.stdout.splitlines()[-1]) == {"status": "FINISHED"}


OPEN = """
import json, sys
from cohortsmith import tracking
print("opening", flush=True)
store = tracking.open_store(f"sqlite:///{sys.argv[1]}/mlflow.db", "smoke", f"{sys.argv[1]}/artifacts")
run = tracking.start_parent(store, "smoke", {"seed": 1}, {})
run.end("FINISHED")
print(json.dumps({"status": store.client.get_run(run.run_id).info.status}))
"""

DIE = """
import os, signal, sys
from cohortsmith import tracking
store = tracking.open_store(f"sqlite:///{sys.argv[1]}/mlflow.db", "smoke", f"{sys.argv[1]}/artifacts")
tracking.start_parent(store, "smoke", {"seed": 1}, {})
os.kill(os.getpid(), signal.SIGKILL)
"""


def tables_of(database: Path) -> set[str]:
    with sqlite3.connect(database) as connection:
        return {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
