"""One MLflow run per `kedro run`, with one child run per generator and classifier.

Only the process that drives the run writes. Nothing that MLflow would add by itself (user name, script path, host)
is stored, and no value that is a path of this machine.
"""

from cohortsmith.tracking.command import code_facts, exact_command
from cohortsmith.tracking.parent_run import ARTIFACTS, ParentRun, start_parent
from cohortsmith.tracking.store import Store, close_dead_runs, open_store
from cohortsmith.tracking.ui import ui_address, ui_command

__all__ = [
    "ARTIFACTS",
    "ParentRun",
    "Store",
    "close_dead_runs",
    "code_facts",
    "exact_command",
    "open_store",
    "start_parent",
    "ui_address",
    "ui_command",
]
