"""Real and synthetic images -> classifiers of every arm -> scores, intervals, a verdict; and how alike they are.

Arms without synthetic scans come first, before any generator is trained: they are what a night's run shows early.
"""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from cohortsmith.execution import after

from .fidelity_nodes import measure_fidelity, track_fidelity
from .gan_nodes import ask_networks, gan_scores, plan_questions, track_gan_scores
from .interim_nodes import note_plan, show_interim
from .jobs import choose_networks, plan_classifiers, plan_early_classifiers
from .leak_nodes import refuse_leaks
from .nodes import train_classifiers, train_early_classifiers
from .phantom_nodes import check_phantom_effect
from .predictions import collect_predictions, list_failed_trainings, select_runs
from .reference_nodes import draw_reference_lines, track_reference_lines
from .regional_volume_nodes import measure_regional_volumes, track_regional_volumes
from .search_nodes import choose_architecture, plan_search, search_architectures, track_search
from .sources import gather_sources
from .subgroup_nodes import compare_groups
from .verdict_nodes import (
    calibrate_all_arms,
    size_all_effects,
    summarise_predictions,
    track_means,
)


def create_pipeline(
    roles: Sequence[str], labels: Sequence[str], *, simulated: bool, searched: bool = False
) -> Pipeline:
    """Build the judgement of all labels together; searched: whether a random search chooses a second network."""
    generators = [f"{label}.generator" for label in labels]
    synthetic = [f"{label}.synthetic_images" for label in labels]
    nodes = [
        Node(refuse_leaks, ["params:study", "partitions", "gathered_sources"], "lineage", name="refuse_leaks"),
        Node(after, ["gathered_sources", "lineage"], "synthetic_sources", name="let_sources_pass"),
        *_early(),
        *_plan(labels, searched=searched),
        Node(
            draw_reference_lines,
            ["params:study", "params:judge", "splits", "partitions", "params:seed"],
            "reference_lines",
            name="draw_reference_lines",
        ),
        Node(
            track_reference_lines,
            "reference_lines",
            "reference_lines.tracked_metrics",
            name="track_reference_lines",
        ),
        Node(
            train_classifiers,
            [
                *("params:study", "networks", "partitions"),
                *("classifier_jobs", "early_classifier_runs", "params:execution", "early_classifier_jobs"),
            ],
            ["classifier_runs", "classifiers.tracked_runs"],
            name="train_classifiers",
        ),
        Node(select_runs, ["classifier_jobs", "classifier_runs"], "current_runs", name="select_runs"),
        Node(list_failed_trainings, "current_runs", "failed_trainings", name="list_failed_trainings"),
        Node(
            collect_predictions,
            ["params:study", "params:judge", "partitions", "current_runs"],
            "predictions",
            name="collect_predictions",
        ),
        Node(
            summarise_predictions,
            ["predictions", "params:judge", "params:seed"],
            ["arms", "differences", "verdict"],
            name="summarise_predictions",
        ),
        Node(size_all_effects, ["predictions", "differences"], "effect_sizes", name="size_effects"),
        Node(calibrate_all_arms, "predictions", "calibration", name="calibrate_arms"),
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
        Node(track_means, ["arms", "differences"], "means.tracked_metrics", name="track_means"),
        *_likeness(synthetic),
    ]
    if simulated:
        nodes.append(_check_phantom(generators, synthetic))
    return Pipeline([*nodes, *(_search() if searched else [])])


def create_interim() -> Pipeline:
    """Build what shows the arms by the trainings that are finished, while a run goes on."""
    show = Node(
        show_interim,
        [
            *("params:study", "params:judge", "partitions", "classifier_plan", "classifier_runs", "params:seed"),
            "parameters",
        ],
        None,
        name="show_interim",
    )
    return Pipeline([show])


def _early() -> list[Node]:
    return [
        Node(choose_networks, ["params:classifier", "params:judge"], "early_networks", name="choose_early_networks"),
        Node(
            plan_early_classifiers,
            [
                *("params:study", "params:judge", "early_networks", "splits", "partitions", "images"),
                "classifier_files",
            ],
            "early_classifier_jobs",
            name="plan_early_classifiers",
        ),
        _note("early_classifier_jobs", "early_classifier_plan"),
        Node(
            train_early_classifiers,
            [
                *("params:study", "early_networks", "partitions", "early_classifier_jobs", "classifier_runs_done"),
                *("params:execution", "classifier_files"),
            ],
            ["early_classifier_runs", "early_classifiers.tracked_runs"],
            name="train_early_classifiers",
        ),
    ]


def _plan(labels: Sequence[str], *, searched: bool) -> list[Node]:
    own = ("generator_files", "latents", "further_latents", "copying")
    return [
        Node(
            gather_sources,
            [
                *("params:study", "params:split", "params:judge", "partitions", "partition_generators"),
                *(f"{label}.{what}" for label in labels for what in own),
            ],
            "gathered_sources",
            name="gather_sources",
        ),
        Node(
            choose_networks,
            ["params:classifier", "params:judge", *["optimised_classifier"] * searched],
            "networks",
            name="choose_networks",
        ),
        Node(
            plan_classifiers,
            [
                "params:study",
                "params:judge",
                "networks",
                "splits",
                "partitions",
                "images",
                "synthetic_sources",
                "classifier_files",
            ],
            "classifier_jobs",
            name="plan_classifiers",
        ),
        _note("classifier_jobs", "classifier_plan"),
    ]


def _note(jobs: str, plan: str) -> Node:
    return Node(note_plan, [jobs, "params:judge", "partitions", "parameters"], plan, name=f"note_{plan}")


def _likeness(synthetic: list[str]) -> list[Node]:
    return [
        Node(
            plan_questions,
            ["classifier_jobs", "synthetic_sources", "current_runs"],
            "questions",
            name="plan_questions",
        ),
        Node(ask_networks, ["questions", "answers_done", "params:execution"], "answers", name="ask_networks"),
        Node(
            gan_scores,
            ["params:judge", "predictions", "questions", "answers", "params:seed"],
            ["gan_train_test", "gan_summary"],
            name="gan_scores",
        ),
        Node(track_gan_scores, "gan_train_test", "gan.tracked_metrics", name="track_gan_scores"),
        Node(
            measure_regional_volumes,
            ["params:study", "params:preparation", "images", "splits", "grid", *synthetic],
            ["tissue_volumes", "regional_volumes", "regional_volumes_summary"],
            name="measure_regional_volumes",
        ),
        Node(
            track_regional_volumes,
            "regional_volumes",
            "regional_volumes.tracked_metrics",
            name="track_regional_volumes",
        ),
    ]


def _search() -> list[Node]:
    return [
        Node(after, ["params:seed", "early_classifier_runs"], "search_seed", name="order_search"),
        Node(
            plan_search,
            ["params:study", "params:random_search", "splits", "images", "search_seed"],
            "search_jobs",
            name="plan_search",
        ),
        Node(
            search_architectures,
            ["search_jobs", "random_search_scores_done", "params:execution"],
            "random_search_scores",
            name="search_architectures",
        ),
        Node(
            choose_architecture,
            ["search_jobs", "random_search_scores"],
            ["optimised_classifier", "architectures"],
            name="choose_architecture",
        ),
        Node(
            track_search, ["params:study", "search_jobs", "architectures"], "search.tracked_runs", name="track_search"
        ),
    ]


def _check_phantom(generators: list[str], synthetic: list[str]) -> Node:
    pairs = [name for pair in zip(generators, synthetic, strict=True) for name in pair]
    return Node(
        check_phantom_effect,
        ["params:study", "images", "splits", "grid", *pairs],
        ["ventricle_volumes", "phantom_check"],
        name="check_phantom_effect",
    )
