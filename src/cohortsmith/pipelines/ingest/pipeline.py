"""Delivered scans -> a BIDS folder per role, a participants table, a ledger of what became of every scan."""

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from .nodes import (
    convert_scans,
    describe_bids_folder,
    describe_clinical_visits,
    describe_participants,
    list_visits,
    plan_ingest,
    show_plan,
    validate_bids_folder,
    write_ledger,
)


def create_pipeline(roles: Sequence[str], *, simulated: bool) -> Pipeline:
    """Build the nodes of every role; a simulated study is delivered first."""
    return Pipeline([node for role in roles for node in (*_decide(role, simulated), *_write(role))])


def create_dry_run(roles: Sequence[str]) -> Pipeline:
    """Build the nodes that only print what would become of every scan."""
    return Pipeline([node for role in roles for node in (*_decide(role, simulated=False), _show(role))])


def _decide(role: str, simulated: bool) -> list[Node]:
    delivered = {"delivered": f"{role}.raw_scans"} if simulated else {}
    return [
        Node(
            _of(list_visits, role),
            {"study": "params:study", "execution": "params:execution", **delivered},
            f"{role}.inventory",
            name=f"{role}.list_visits",
        ),
        Node(
            _of(plan_ingest, role),
            {
                "inventory": f"{role}.inventory",
                "done": f"{role}.bids_scans_done",
                "last": f"{role}.ledger_done",
                "study": "params:study",
                "ingest": "params:ingest",
                "execution": "params:execution",
            },
            f"{role}.ingest_plan",
            name=f"{role}.plan_ingest",
        ),
    ]


def _show(role: str) -> Node:
    return Node(_of(show_plan, role), f"{role}.ingest_plan", None, name=f"{role}.show_plan")


def _write(role: str) -> list[Node]:
    return [
        Node(
            _of(convert_scans, role),
            {"plan": f"{role}.ingest_plan", "done": f"{role}.bids_scans_done", "execution": "params:execution"},
            [f"{role}.bids_scans", f"{role}.ingest_rejections"],
            name=f"{role}.convert_scans",
        ),
        Node(
            _of(write_ledger, role),
            {
                "plan": f"{role}.ingest_plan",
                "scans": f"{role}.bids_scans",
                "rejections": f"{role}.ingest_rejections",
                "ingest": "params:ingest",
            },
            [f"{role}.ledger", f"{role}.ingest_warnings"],
            name=f"{role}.write_ledger",
        ),
        Node(
            describe_participants,
            [f"{role}.ingest_plan", f"{role}.bids_scans"],
            f"{role}.participants",
            name=f"{role}.describe_participants",
        ),
        Node(
            describe_clinical_visits,
            f"{role}.inventory",
            f"{role}.clinical_visits",
            name=f"{role}.describe_clinical_visits",
        ),
        Node(
            describe_bids_folder,
            ["params:study", f"{role}.participants"],
            f"{role}.bids_folder",
            name=f"{role}.describe_bids_folder",
        ),
        Node(
            validate_bids_folder,
            f"{role}.bids_folder",
            f"{role}.bids_issues",
            name=f"{role}.validate_bids_folder",
        ),
    ]


def _of(function: Callable[..., Any], role: str) -> Callable[..., Any]:
    return update_wrapper(partial(function, role=role), function)
