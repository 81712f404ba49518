"""Delivered scans -> a BIDS folder per role, a participants table, a list of what was set aside."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from .nodes import (
    convert_scans,
    describe_bids_folder,
    describe_participants,
    list_visits,
    validate_bids_folder,
)


def create_pipeline(roles: Sequence[str], *, simulated: bool) -> Pipeline:
    """Build the nodes of every role; a simulated study is delivered first."""
    return Pipeline([node for role in roles for node in _ingest(role, simulated)])


def _ingest(role: str, simulated: bool) -> list[Node]:
    delivered = {"delivered": f"{role}.raw_scans"} if simulated else {}
    return [
        Node(
            update_wrapper(partial(list_visits, role=role), list_visits),
            {"study": "params:study", **delivered},
            f"{role}.inventory",
            name=f"{role}.list_visits",
        ),
        Node(
            update_wrapper(partial(convert_scans, role=role), convert_scans),
            {
                "inventory": f"{role}.inventory",
                "done": f"{role}.bids_scans_done",
                "execution": "params:execution",
            },
            [f"{role}.bids_scans", f"{role}.ingest_rejections"],
            name=f"{role}.convert_scans",
        ),
        Node(
            describe_participants,
            [f"{role}.inventory", f"{role}.bids_scans"],
            f"{role}.participants",
            name=f"{role}.describe_participants",
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
