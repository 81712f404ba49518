"""What the project adds to every Kedro run: checked configuration, one run at a time, timings, MLflow."""

import logging
import time
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, TextIO

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from cohortsmith import __version__, tracking
from cohortsmith.config.preparation import PreparationConfig, space_name
from cohortsmith.config.run import RunConfig, read_run_config
from cohortsmith.imaging.atomic_write import write_json
from cohortsmith.imaging.sources.pseudonym_map import require_outside
from cohortsmith.records import TrackedRun
from cohortsmith.run_lock import acquire_lock

log = logging.getLogger(__name__)


class RunParameters:
    """Check the configuration before anything starts, and hand it to the registry and the catalog's paths."""

    config: ClassVar[RunConfig | None] = None
    name: ClassVar[str] = "phantom"

    @hook_impl(tryfirst=True)  # the tracker's experiment is named after the study
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

    @classmethod
    def space(cls) -> str:
        """Give the BIDS name of the template's space, for `${space:}` in the catalog."""
        return space_name(cls.config.preparation if cls.config else PreparationConfig())


def describe_study(config: RunConfig) -> str:
    """Say in one line what a run is about."""
    if config.study.simulated:
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
        self.settings: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._facts: dict[str, str] = {}
        self._started = 0.0
        self._catalog: CatalogProtocol | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember where runs are tracked; refuse a pseudonym map among the results."""
        self.settings = dict(context.config_loader["mlflow"])
        config = RunParameters.config
        if config is not None and config.ingest.pseudonym_map:
            results = [Path(context.config_loader["globals"]["data"]), self._home / "data", self._home / "mlruns"]
            require_outside(config.ingest.pseudonym_map, results)

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], catalog: CatalogProtocol) -> None:
        """Take the lock, mark runs that a killed process left open, open this run."""
        self._catalog = catalog
        self._facts = {
            "command": tracking.exact_command(run_params),
            "date": f"{datetime.now().astimezone():%Y-%m-%d %H:%M}",
            **tracking.code_facts(),
        }
        config = RunParameters.config
        assert config is not None
        only_shown = list(run_params.get("pipeline_names") or []) == ["interim"]
        if config.ingest.dry_run or only_shown:  # nothing is written, the lock and the tracker's store included
            return
        self._lock = acquire_lock(self._home / "data" / ".run.lock")
        store = tracking.open_store(
            self.settings["tracking_uri"], self.settings["experiment"], self.settings["artifacts"]
        )
        tracking.close_dead_runs(store)
        type(self).active = tracking.start_parent(store, config.study.name, config.model_dump(mode="json"), run_params)

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str) -> None:
        """Write down what only the run itself knows, where a step asks for it."""
        folder = self._reporting_folder()
        if dataset_name == "timings":
            write_json(folder / "timings.json", self._seconds)
        elif dataset_name == "run_facts":
            write_json(folder / "run_facts.json", {**self._facts, "report": str(folder / "report.html")})

    @hook_impl
    def before_node_run(self) -> None:
        """Start the clock of one step."""
        self._started = time.monotonic()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Note the step's time so far, and publish what it wants tracked."""
        # Not after_node_run: a step that saves scan by scan works between two saves, long after it "ran".
        self._seconds[node.name] = round(time.monotonic() - self._started, 2)
        run = type(self).active
        if run is not None:
            self._publish(run, dataset_name, data)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Close the run as finished and print where the results are."""
        self.end_active("FINISHED")
        self._release()
        summary = self._reporting_folder() / "summary.txt"
        if "render" in self._seconds and summary.is_file():
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

    def _publish(self, run: "tracking.ParentRun", dataset_name: str, data: Any) -> None:
        if dataset_name.endswith("tracked_runs"):
            for child in data:
                run.publish(TrackedRun(*child))
        elif dataset_name.endswith("tracked_metrics"):
            run.log_metrics(data)
        elif dataset_name.endswith("tracked_figures"):
            run.log_figures(data)
        elif dataset_name.endswith(".model_card") and self.settings.get("models") != "none":
            files = (self._file_of(dataset_name, sibling) for sibling in ("generator", "model_card_text"))
            run.publish_decoder(data, *files)
        elif dataset_name in tracking.ARTIFACTS:
            run.log_artifact(self._file_of(dataset_name))

    def _file_of(self, dataset_name: str, sibling: str = "") -> Path:
        """Give the file of a catalog entry, or of the one beside it in the same namespace."""
        assert self._catalog is not None
        named = f"{dataset_name.rpartition('.')[0]}.{sibling}" if sibling else dataset_name
        return Path(self._catalog[named]._describe()["filepath"])

    def _reporting_folder(self) -> Path:
        return self._home / "data" / "08_reporting" / RunParameters.study_name()
