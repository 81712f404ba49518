"""The MLflow user interface on this machine only: one worker, no job runner, no usage reports."""

import sys
from pathlib import Path

# `mlflow ui` does not import this package, so it must be told by its own environment.
_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_AI_GATEWAY": "false",
}


def ui_command(database: Path, port: int = 5000) -> tuple[list[str], dict[str, str]]:
    """Give the command and the environment to add: http://127.0.0.1:port, reachable from this machine only."""
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
        "--backend-store-uri": f"sqlite:///{database.absolute()}",
        "--default-artifact-root": (database.absolute().parent / "artifacts").as_uri(),
    }
    words = [word for option in options.items() for word in option]
    return [sys.executable, "-m", "mlflow", "ui", *words], dict(_ENVIRONMENT)


def ui_address(port: int = 5000, experiment_id: str = "", view: str = "") -> str:
    """Give the address of the runs, on the page for training, not the one for chat traces; view: of `VIEWS`."""
    place = f"experiments/{experiment_id}/runs" if experiment_id else "experiments"
    saved = f"&compareRunsMode=CHART&viewStateShareKey={view}" if view else ""
    return f"http://127.0.0.1:{port}/#/{place}?workflowType=machine_learning{saved}"
