"""Parameters -> the raw phantom studies (embedded study only)."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from .nodes import draw_clinical_tables, simulate_scans


def create_pipeline(roles: Sequence[str]) -> Pipeline:
    """Build one pair of nodes per role: the training study and the external one."""
    return Pipeline([node for role in roles for node in _simulate(role)])


def _simulate(role: str) -> list[Node]:
    return [
        Node(
            update_wrapper(partial(draw_clinical_tables, role=role), draw_clinical_tables),
            {"phantom": "params:phantom"},
            f"{role}.clinical_tables",
            name=f"{role}.draw_clinical_tables",
        ),
        Node(
            update_wrapper(partial(simulate_scans, role=role), simulate_scans),
            {
                "tables": f"{role}.clinical_tables",
                "present": f"{role}.raw_scans_done",
                "done": f"{role}.truth_done",
                "phantom": "params:phantom",
                "execution": "params:execution",
            },
            [f"{role}.raw_scans", f"{role}.truth"],
            name=f"{role}.simulate_scans",
        ),
    ]
