"""Prepared scans -> the cohort, subject-level splits, one stack of images, one generator per diagnosis."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from cohortsmith.execution import after

from .cohort_nodes import make_folds, select_cohort, split_cohort, track_split_quality
from .nodes import fit_generator, stack_images
from .partition_nodes import fit_partition_generators, make_partitions, plan_partition_generators

ORDERED_SEED, ORDERED_PARAMETERS = "generator_seed", "partition_generator_parameters"


def create_pipeline(
    roles: Sequence[str], labels: Sequence[str], *, folds: bool = False, judged: bool = True
) -> Pipeline:
    """Build the shared nodes and one fit per label.

    folds: whether a cross-validation is asked for. judged: whether classifiers will be trained, for which every other
    training set and fold needs generators too.
    """
    cohorts = [f"{role}.cohort_scans" for role in roles]
    scans = [f"{role}.prepared_scans" for role in roles]
    shared = [
        *(_select(role) for role in roles),
        Node(
            split_cohort, ["params:study", "params:split", *cohorts], ["splits", "split_quality"], name="split_cohort"
        ),
        Node(track_split_quality, "split_quality", "splits.tracked_metrics", name="track_split_quality"),
        Node(stack_images, ["splits", *scans], ["images", "grid"], name="stack_images"),
    ]
    if folds:
        shared.append(Node(make_folds, ["params:split", "splits"], "folds", name="make_folds"))
    if judged:
        shared += _partitions(folds=folds)
    seed = ORDERED_SEED if judged else "params:seed"
    return Pipeline([*shared, *(_fit(label, seed) for label in labels)])


def _partitions(*, folds: bool) -> list[Node]:
    return [
        # In a whole run the judge's arms without synthetic scans come first: what they say is there long before
        # the last generator is.
        Node(after, ["params:seed", "early_classifier_runs"], ORDERED_SEED, name="order_generators"),
        Node(after, ["parameters", "early_classifier_runs"], ORDERED_PARAMETERS, name="order_partition_generators"),
        Node(
            make_partitions,
            ["params:split", "params:judge", "splits", *["folds"] * folds],
            "partitions",
            name="make_partitions",
        ),
        Node(
            plan_partition_generators,
            [ORDERED_PARAMETERS, "images", "splits", "partitions", "partition_generators_files"],
            "generator_jobs",
            name="plan_partition_generators",
        ),
        Node(
            fit_partition_generators,
            ["generator_jobs", "partition_generators_done", "splits", "params:execution"],
            "partition_generators",
            name="fit_partition_generators",
        ),
    ]


def _select(role: str) -> Node:
    return Node(
        update_wrapper(partial(select_cohort, role=role), select_cohort),
        {
            "study": "params:study",
            "cohort": "params:cohort",
            "participants": f"{role}.participants",
            "clinical_visits": f"{role}.clinical_visits",
            "prepared": f"{role}.prepared_scans",
        },
        [f"{role}.cohort_scans", f"{role}.cohort_exclusions", f"{role}.cohort_counts"],
        name=f"{role}.select_cohort",
    )


def _fit(label: str, seed: str) -> Node:
    return Node(
        update_wrapper(partial(fit_generator, label=label), fit_generator),
        {
            "images": "images",
            "splits": "splits",
            "generator": "params:generator",
            "training": "params:training",
            "seed": seed,
            "known": f"{label}.generator_done",
            "checkpoint": f"{label}.epochs_done",
        },
        f"{label}.generator",
        name=f"{label}.fit_generator",
    )
