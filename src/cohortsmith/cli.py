"""`kedro run` with one clear message instead of a traceback and a truthful exit code; `kedro ui` for MLflow."""

import os
import re
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError

from cohortsmith import tracking
from cohortsmith.errors import CohortsmithError, ConfigurationError
from cohortsmith.hooks import TrackRuns

KILLED_BY_SIGNAL = 128


@click.group(name="cohortsmith")
def cli() -> None:
    """Enlarge a small cohort of brain MRI, and prove whether it helps."""


def _run(**options: Any) -> None:
    """Run the chain; errors the user can mend are one message, exit code 2 when nothing was started."""
    os.chdir(project_root())  # relative paths of the configuration are relative to the project
    signal.signal(signal.SIGTERM, _stop)
    try:
        kedro_run.callback(**options)  # type: ignore[misc]
    except CohortsmithError as error:
        _leave(str(error), error.exit_code, "FAILED")
    except DatasetError as error:  # Kedro wraps what stops a save, such as a full disk, and a result that is not there
        told = _unwrapped(error)
        if told is None:
            raise
        _leave(str(told), told.exit_code, "FAILED")
    except ValueError as error:
        if "Pipeline input(s)" not in str(error):
            raise
        _leave(str(_not_handed_over(error)), ConfigurationError.exit_code, "FAILED")
    except KeyboardInterrupt:
        _leave(
            "interrupted: the same command goes on where it stopped",
            KILLED_BY_SIGNAL + signal.SIGINT,
            "KILLED",
        )
    except SystemExit as stop:
        TrackRuns.end_active("KILLED")
        sys.exit(stop.code)


def _unwrapped(error: DatasetError) -> CohortsmithError | None:
    causes: list[BaseException] = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    if isinstance(causes[-1], FileNotFoundError):
        return ConfigurationError(
            "a result of an earlier step is not there yet",
            where=str(error).partition(":")[0],
            got=f"no {Path(causes[-1].filename or '?').name}",
            expected="what an earlier step of the chain writes",
            remedy="run the whole chain (kedro run, without --pipelines or --from-nodes), or wait until the run that "
            "is going on has come that far",
        )
    return next((cause for cause in causes if isinstance(cause, CohortsmithError)), None)


def _not_handed_over(error: ValueError) -> ConfigurationError:
    """Say what Kedro says where a part of a pipeline needs what another part only hands over in memory."""
    needed = ", ".join(re.findall(r"'([\w.]+)'", str(error)))
    return ConfigurationError(
        "this step cannot be started alone",
        where="--from-nodes, --nodes, --from-inputs or --tags",
        got=f"it needs {needed}, which a run does not keep",
        expected="a whole stage",
        remedy="name the stage (--pipelines learn, say): what is done already is not done again",
    )


cli.add_command(click.Command("run", params=kedro_run.params, callback=_run, help="Run the chain."))


@cli.command()
@click.option("--port", default=5000, show_default=True, help="Port on 127.0.0.1.")
def ui(port: int) -> None:
    """Open the MLflow UI on this machine's results."""
    command, environment = tracking.ui_command(project_root() / "mlruns" / "mlflow.db", port)
    os.execvpe(command[0], command, {**os.environ, **environment})


def _stop(signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(KILLED_BY_SIGNAL + signum)


def _leave(message: str, code: int, status: str) -> NoReturn:
    TrackRuns.end_active(status)
    click.secho(f"\n{message}", fg="red" if sys.stderr.isatty() else None, err=True)
    sys.exit(code)


def project_root() -> Path:
    """Give the folder that holds conf/ and pyproject.toml."""
    return Path(__file__).resolve().parents[2]


def main() -> None:
    """Enter from `python -m cohortsmith`."""
    bootstrap_project(project_root())
    cli()
