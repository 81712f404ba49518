"""BIDS scans -> aligned, cropped, scaled volumes with their quality, and which of them are kept."""

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from .nodes import collect_decisions, decide_scans, describe_prepared_folder, plan_preparation, prepare_scans


def create_pipeline(roles: Sequence[str]) -> Pipeline:
    """Build the nodes of every role."""
    return Pipeline([node for role in roles for node in _prepare(role)])


def _prepare(role: str) -> list[Node]:
    scans, candidates = f"{role}.bids_scans", f"{role}.prepared_candidates"
    decisions, plan = f"{role}.scan_decisions", f"{role}.preparation_plan"
    preparation, execution = "params:preparation", "params:execution"
    return [
        _node(collect_decisions, role, [scans, f"{role}.decisions", preparation], [decisions]),
        _node(
            plan_preparation,
            role,
            [scans, f"{role}.prepared_candidates_done", decisions, preparation],
            [plan, f"{role}.preparation_causes"],
        ),
        _node(
            prepare_scans,
            role,
            [plan, scans, preparation, execution],
            [candidates, f"{role}.preparation_rejections"],
        ),
        _node(
            decide_scans,
            role,
            [candidates, decisions, preparation],
            [f"{role}.quality", f"{role}.prepared_scans", f"{role}.quality_rejections"],
        ),
        _node(
            describe_prepared_folder,
            role,
            ["params:study", f"{role}.participants", candidates],
            [f"{role}.prepared_folder"],
        ),
    ]


def _node(function: Callable[..., Any], role: str, inputs: list[str], outputs: list[str]) -> Node:
    bound = update_wrapper(partial(function, role=role), function)
    return Node(bound, inputs, outputs if len(outputs) > 1 else outputs[0], name=f"{role}.{function.__name__}")
