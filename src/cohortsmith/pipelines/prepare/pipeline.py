"""BIDS scans -> aligned, cropped, scaled volumes with their quality."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from .nodes import prepare_scans


def create_pipeline(roles: Sequence[str]) -> Pipeline:
    """Build one node per role."""
    return Pipeline(
        [
            Node(
                update_wrapper(partial(prepare_scans, role=role), prepare_scans),
                {
                    "scans": f"{role}.bids_scans",
                    "done": f"{role}.prepared_scans_done",
                    "preparation": "params:preparation",
                    "execution": "params:execution",
                },
                [f"{role}.prepared_scans", f"{role}.preparation_rejections"],
                name=f"{role}.prepare_scans",
            )
            for role in roles
        ]
    )
