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
                update_wrapper(partial(prepare_scans, role), prepare_scans),
                [
                    f"{role}.bids_scans",
                    f"{role}.prepared_scans_done",
                    "params:preparation",
                    "params:execution",
                ],
                [f"{role}.prepared_scans", f"{role}.preparation_rejections"],
                name=f"{role}.prepare_scans",
            )
            for role in roles
        ]
    )
