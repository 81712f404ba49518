"""Where runs are kept: a SQLite file and a folder of artifacts, or a lab's MLflow server."""

import fcntl
import hashlib
import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Experiment, Run, ViewType
from mlflow.tracking import MlflowClient

from cohortsmith.errors import ConfigurationError
from cohortsmith.tracking.views import save_views

DRIVER_TAG = "cohortsmith.driver"
_SQLITE = "sqlite:///"
_TRAINING = {"mlflow.experimentKind": "custom_model_development"}  # else the UI opens on its page for chat traces


class Store(NamedTuple):
    """An open tracking store. driver: who writes here, so that only its own dead runs are closed."""

    client: MlflowClient
    experiment_id: str
    driver: str


def open_store(tracking_uri: str, experiment: str, artifacts: str) -> Store:
    """Open the store and its experiment, made at first use.

    tracking_uri: `sqlite:///` and an absolute path, or the address of an MLflow server.
    artifacts: folder for reports and figures beside a SQLite file; a server keeps them itself.

    Raises:
        ConfigurationError: the path after `sqlite:///` is relative, so each working directory would get its own.
    """
    database = _database(tracking_uri)
    # Processes that make the tables of one new file at the same time break each other's migration.
    with _alone(database.with_name(f".{database.name}.lock")) if database else nullcontext():
        client = MlflowClient(tracking_uri)
        location = Path(artifacts).absolute().as_uri() if database else None
        experiment_id = _experiment_id(client, experiment, location)
        save_views(client, client.get_experiment(experiment_id))
    return Store(client, experiment_id, _driver(database, artifacts))


def close_dead_runs(store: Store) -> list[str]:
    """Mark as KILLED every run that this project's earlier process left open; give their ids.

    Call it while holding the project's lock: then no other process of the project can be alive.
    """
    dead = [run.info.run_id for run in _open_runs(store)]
    for run_id in dead:
        store.client.set_terminated(run_id, "KILLED")
    return dead


def _open_runs(store: Store) -> list[Run]:
    experiments = [one.experiment_id for one in store.client.search_experiments(ViewType.ALL)]
    mine = f"attributes.status = 'RUNNING' and tags.`{DRIVER_TAG}` = '{store.driver}'"
    page = store.client.search_runs(experiments, mine)
    found = list(page)
    while page.token:
        page = store.client.search_runs(experiments, mine, page_token=page.token)
        found += page
    return found


def _experiment_id(client: MlflowClient, name: str, location: str | None) -> str:
    known: Experiment | None = client.get_experiment_by_name(name)
    if known is None:
        return str(client.create_experiment(name, location, tags=_TRAINING))
    if known.lifecycle_stage == "deleted":  # in the UI; its name stays taken
        client.restore_experiment(known.experiment_id)
    return str(known.experiment_id)


def _database(tracking_uri: str) -> Path | None:
    if not tracking_uri.startswith("sqlite:"):
        return None
    path = Path(tracking_uri.removeprefix(_SQLITE))
    if not path.is_absolute():
        raise ConfigurationError(
            "the tracking database has a relative path",
            where="mlflow.tracking_uri",
            got=tracking_uri,
            expected="sqlite:////absolute/path/mlflow.db",
            remedy="write ${home:} before it, as conf/base/mlflow.yml does",
        )
    return path


def _driver(database: Path | None, artifacts: str) -> str:
    if database:
        return "local"
    return hashlib.sha256(f"{platform.node()}:{artifacts}".encode()).hexdigest()[:12]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
