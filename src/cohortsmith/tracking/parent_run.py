"""One run with its children: what `kedro run` publishes while it works."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from cohortsmith import __version__
from cohortsmith.records import TrackedRun
from cohortsmith.tracking.batches import log_figures, log_values
from cohortsmith.tracking.command import code_state, exact_command
from cohortsmith.tracking.flat_parameters import flatten_parameters, without_paths
from cohortsmith.tracking.models import publish_decoder
from cohortsmith.tracking.store import DRIVER_TAG, Store

Status = Literal["FINISHED", "FAILED", "KILLED"]

_OF_ARMS = ("arms", "differences", "effect_sizes", "calibration", "subgroups")
_TABLES = (*_OF_ARMS, "reference_lines", "split_quality", "architectures", "failed_trainings")
# Catalog entries whose files are published with the parent run: none names a participant or holds a whole scan.
ARTIFACTS = frozenset(
    {
        "report",
        "report_markdown",
        "quality_page",
        "verdict",
        "fidelity",
        "phantom_check",
        "optimised_classifier",
        *_TABLES,
    }
)


@dataclass(frozen=True)
class ParentRun:
    """The open run. Its methods publish at once, so that a killed process loses nothing it had published."""

    store: Store
    run_id: str
    tags: Mapping[str, str]

    def publish(self, run: TrackedRun) -> str:
        """Add one child run, closed as FINISHED (or FAILED when it cannot be written); give its id."""
        tags = {**_scrubbed(run.tags), **self.tags, "mlflow.parentRunId": self.run_id}
        client = self.store.client
        child = client.create_run(self.store.experiment_id, tags=tags, run_name=run.name).info.run_id
        status: Status = "FAILED"
        try:
            # Final values before curves: the UI's comparison opens on the metric logged first.
            log_values(client, child, flatten_parameters(run.params), run.metrics, run.curves)
            log_figures(client, child, run.figures)
            status = "FINISHED"
        finally:
            client.set_terminated(child, status)
        return str(child)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Add metrics to the parent, e.g. means over seeds."""
        log_values(self.store.client, self.run_id, metrics=metrics)

    def log_figures(self, figures: Mapping[str, bytes]) -> None:
        """Add charts to the parent, by file name."""
        log_figures(self.store.client, self.run_id, figures)

    def publish_decoder(self, card: Mapping[str, Any], weights: Path, card_text: Path) -> str:
        """Add a generator's decoder with its card as a model of this run; give the model's id."""
        return publish_decoder(self.store, self.run_id, card, weights, card_text)

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Add one file to the parent, e.g. report.html or a table."""
        self.store.client.log_artifact(self.run_id, str(path), folder or None)

    def end(self, status: Status) -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        self.store.client.set_terminated(self.run_id, status)


def start_parent(store: Store, study: str, config: Mapping[str, Any], run_params: Mapping[str, Any]) -> ParentRun:
    """Open the run of one `kedro run`: its configuration flattened, who made it (version, commit), the command.

    config: nested plain values. run_params: what Kedro hands to `before_pipeline_run`.
    """
    # MlflowClient.create_run, not mlflow.start_run: that one adds the user's name, the script's path and the host's.
    shared = {DRIVER_TAG: store.driver, "study": study, "cohortsmith": __version__}
    tags = {**shared, "command": exact_command(run_params), **code_state()}
    name = f"{study} {datetime.now().astimezone():%Y-%m-%d %H:%M}"
    run_id = store.client.create_run(store.experiment_id, tags=tags, run_name=name).info.run_id
    run = ParentRun(store, run_id, shared)
    try:
        log_values(store.client, run_id, {"kind": "study"} | flatten_parameters(config))
    except BaseException:
        run.end("FAILED")
        raise
    return run


def _scrubbed(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: without_paths(value) for name, value in tags.items()}
