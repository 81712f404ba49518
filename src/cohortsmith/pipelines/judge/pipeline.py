"""Real and synthetic images -> classifiers of every arm -> scores, intervals, a verdict; and how alike they are."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from cohortsmith.evaluation.calibration import calibrate_arms
from cohortsmith.evaluation.effect_sizes import size_effects

from .fidelity_nodes import measure_fidelity, track_fidelity
from .nodes import (
    collect_predictions,
    plan_classifiers,
    pool_synthetic_images,
    refuse_leaks,
    train_classifiers,
)
from .phantom_nodes import check_phantom_effect
from .subgroup_nodes import compare_groups
from .verdict_nodes import summarise_predictions, track_classifiers, track_means


def create_pipeline(roles: Sequence[str], labels: Sequence[str], *, simulated: bool) -> Pipeline:
    """Build the judgement of all labels together."""
    generators = [f"{label}.generator" for label in labels]
    synthetic = [f"{label}.synthetic_images" for label in labels]
    nodes = [
        Node(refuse_leaks, ["splits", *generators], "ancestry", name="refuse_leaks"),
        Node(
            pool_synthetic_images,
            ["params:judge", *(f"{label}.{what}" for label in labels for what in ("synthetic_images", "copying"))],
            "synthetic_pool",
            name="pool_synthetic_images",
        ),
        Node(
            plan_classifiers,
            [
                "params:study",
                "params:judge",
                "params:classifier",
                "splits",
                "images",
                "synthetic_pool",
                "ancestry",
            ],
            "classifier_jobs",
            name="plan_classifiers",
        ),
        Node(
            train_classifiers,
            ["classifier_jobs", "classifier_runs_done", "params:execution"],
            "classifier_runs",
            name="train_classifiers",
        ),
        Node(
            collect_predictions,
            ["params:study", "params:judge", "splits", "classifier_runs"],
            "predictions",
            name="collect_predictions",
        ),
        Node(
            summarise_predictions,
            ["predictions", "params:judge", "params:seed"],
            ["arms", "differences", "verdict"],
            name="summarise_predictions",
        ),
        Node(size_effects, ["predictions", "differences"], "effect_sizes", name="size_effects"),
        Node(calibrate_arms, "predictions", "calibration", name="calibrate_arms"),
        Node(
            compare_groups,
            ["predictions", "splits", "params:judge", "params:seed", *(f"{role}.bids_scans" for role in roles)],
            "subgroups",
            name="compare_groups",
        ),
        Node(
            measure_fidelity,
            ["params:study", "params:seed", "images", "splits", *synthetic],
            ["fidelity", "fidelity_summary"],
            name="measure_fidelity",
        ),
        Node(track_fidelity, "fidelity", "fidelity.tracked_metrics", name="track_fidelity"),
        Node(
            track_classifiers,
            ["params:study", "params:judge", "params:classifier", "classifier_runs", "predictions"],
            "classifiers.tracked_runs",
            name="track_classifiers",
        ),
        Node(track_means, ["arms", "differences"], "means.tracked_metrics", name="track_means"),
    ]
    if simulated:
        nodes.append(_check_phantom(generators, synthetic))
    return Pipeline(nodes)


def _check_phantom(generators: list[str], synthetic: list[str]) -> Node:
    pairs = [name for pair in zip(generators, synthetic, strict=True) for name in pair]
    return Node(
        check_phantom_effect,
        ["params:study", "images", "splits", "grid", *pairs],
        ["ventricle_volumes", "phantom_check"],
        name="check_phantom_effect",
    )
