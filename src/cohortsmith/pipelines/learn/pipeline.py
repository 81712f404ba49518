"""Prepared scans -> subject-level splits, one stack of images, one generator per diagnosis."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from .nodes import fit_generator, split_cohort, stack_images


def create_pipeline(roles: Sequence[str], labels: Sequence[str]) -> Pipeline:
    """Build the shared nodes and one fit per label."""
    tables = [name for role in roles for name in (f"{role}.participants", f"{role}.prepared_scans")]
    scans = [f"{role}.prepared_scans" for role in roles]
    shared = [
        Node(split_cohort, ["params:study", "params:split", *tables], "splits", name="split_cohort"),
        Node(stack_images, ["splits", *scans], ["images", "grid"], name="stack_images"),
    ]
    return Pipeline([*shared, *(_fit(label) for label in labels)])


def _fit(label: str) -> Node:
    return Node(
        update_wrapper(partial(fit_generator, label=label), fit_generator),
        {
            "images": "images",
            "splits": "splits",
            "generator": "params:generator",
            "training": "params:training",
            "seed": "params:seed",
            "known": f"{label}.generator_done",
            "checkpoint": f"{label}.epochs_done",
        },
        f"{label}.generator",
        name=f"{label}.fit_generator",
    )
