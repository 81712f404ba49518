"""What the project adds to every Kedro run: checked configuration, one run at a time, timings, MLflow."""

import logging
import time
from pathlib import Path
from typing import Any, ClassVar, TextIO

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from cohortsmith import __version__, tracking
from cohortsmith.config.run import RunConfig, read_run_config
from cohortsmith.imaging.atomic_write import write_json
from cohortsmith.records import TrackedRun
from cohortsmith.run_lock import acquire_lock

log = logging.getLogger(__name__)


class RunParameters:
    """Check the configuration before anything starts, and hand it to the registry and the catalog's paths."""

    config: ClassVar[RunConfig | None] = None
    name: ClassVar[str] = "phantom"

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read and check every parameter; say which study this is."""
        # Not context.params: that loads the pipelines, which need these parameters.
        parameters = context.config_loader["parameters"]
        config = read_run_config(parameters)
        type(self).config, type(self).name = config, config.study.name
        log.info("cohortsmith %s: %s", __version__, describe_study(config))

    @classmethod
    def study_name(cls) -> str:
        """Give the study's name, for `${study:}` in the catalog."""
        return cls.name


def describe_study(config: RunConfig) -> str:
    """Say in one line what a run is about."""
    if config.study.source == "phantom":
        return (
            "running the embedded phantom study (simulated scans, no patients). "
            "To run your own study: kedro run --env NAME, see conf/README.md"
        )
    return f"running the study '{config.study.name}' (source: {config.study.source})"


class TrackRuns:
    """Open one MLflow run per `kedro run`, publish its children, and close it truthfully."""

    active: ClassVar["tracking.ParentRun | None"] = None

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock: TextIO | None = None
        self._settings: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._started = 0.0

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember where runs are tracked."""
        self._settings = dict(context.config_loader["mlflow"])

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Take the lock, mark runs that a killed process left open, open this run."""
        self._lock = acquire_lock(self._home / "data" / ".run.lock")
        config = RunParameters.config
        assert config is not None
        store = tracking.open_store(
            self._settings["tracking_uri"], self._settings["experiment"], self._settings["artifacts"]
        )
        tracking.close_dead_runs(store)
        type(self).active = tracking.start_parent(
            store, config.study.name, config.model_dump(mode="json"), run_params
        )

    @hook_impl
    def before_node_run(self) -> None:
        """Start the clock of one step."""
        self._started = time.monotonic()

    @hook_impl
    def after_node_run(self, node: Node, catalog: CatalogProtocol, outputs: dict[str, Any]) -> None:
        """Note the step's time and publish what it wants tracked."""
        self._seconds[node.name] = round(time.monotonic() - self._started, 2)
        self._write_timings()
        run = type(self).active
        if run is None:
            return
        for name, value in outputs.items():
            if name.endswith("tracked_runs"):
                for child in value:
                    run.publish(TrackedRun(*child))
            elif name.endswith("tracked_metrics"):
                run.log_metrics(value)
            elif name in tracking.ARTIFACTS:
                run.log_artifact(self._file_of(catalog, name))

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Close the run as finished and print where the results are."""
        self.end_active("FINISHED")
        self._release()
        summary = self._reporting_folder() / "summary.txt"
        if "render_summary" in self._seconds and summary.is_file():
            print(f"\n{summary.read_text()}", flush=True)  # noqa: T201 - the end of the run is meant to be read

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Close the run as failed."""
        self.end_active("FAILED")
        self._release()

    @classmethod
    def end_active(cls, status: str) -> None:
        """Close the active run, if there is one, as FINISHED, FAILED or KILLED."""
        if cls.active is not None:
            cls.active.end(status)
            cls.active = None

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _reporting_folder(self) -> Path:
        return self._home / "data" / "08_reporting" / RunParameters.study_name()

    def _write_timings(self) -> None:
        write_json(self._reporting_folder() / "timings.json", self._seconds)

    @staticmethod
    def _file_of(catalog: CatalogProtocol, name: str) -> Path:
        return Path(catalog[name]._describe()["filepath"])
