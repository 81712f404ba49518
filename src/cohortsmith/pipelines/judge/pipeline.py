"""Real and synthetic images -> classifiers of every arm -> scores, intervals, a verdict; and a screen for copies."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from .fidelity_nodes import check_phantom_effect, screen_for_copies
from .nodes import (
    collect_predictions,
    plan_classifiers,
    pool_synthetic_images,
    refuse_leaks,
    train_classifiers,
)
from .verdict_nodes import summarise_predictions, track_classifiers, track_means


def create_pipeline(labels: Sequence[str], *, simulated: bool) -> Pipeline:
    """Build the judgement of all labels together, and the checks of each."""
    generators = [f"{label}.generator" for label in labels]
    synthetic = [f"{label}.synthetic_images" for label in labels]
    nodes = [
        Node(refuse_leaks, ["splits", *generators], "ancestry", name="refuse_leaks"),
        Node(pool_synthetic_images, ["params:judge", *synthetic], "synthetic_pool", name="pool_synthetic_images"),
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
        Node(
            track_classifiers,
            ["params:study", "params:judge", "params:classifier", "classifier_runs", "predictions"],
            "classifiers.tracked_runs",
            name="track_classifiers",
        ),
        Node(track_means, ["arms", "differences"], "means.tracked_metrics", name="track_means"),
        *(_screen(label) for label in labels),
    ]
    if simulated:
        nodes.append(_check_phantom(generators, synthetic))
    return Pipeline(nodes)


def _screen(label: str) -> Node:
    return Node(
        screen_for_copies,
        [f"{label}.generator", f"{label}.synthetic_images", "images", "splits"],
        [f"{label}.copying", f"{label}.copying_summary"],
        name=f"{label}.screen_for_copies",
    )


def _check_phantom(generators: list[str], synthetic: list[str]) -> Node:
    pairs = [name for pair in zip(generators, synthetic, strict=True) for name in pair]
    return Node(
        check_phantom_effect,
        ["params:study", "images", "splits", "grid", *pairs],
        ["ventricle_volumes", "phantom_check"],
        name="check_phantom_effect",
    )
