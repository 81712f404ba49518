"""Everything the run knows -> one HTML report, one quality page, the words at the end."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from .model_nodes import gather_generator, gather_generators, write_classifiers_card, write_model_card
from .nodes import (
    describe_run,
    gather_anatomy,
    gather_cohort,
    gather_cohort_flow,
    gather_fidelity,
    gather_judgement,
    gather_preparation,
    gather_rejections,
    gather_warnings,
    render,
)
from .tracking_nodes import track_arms

PAGES = ["report", "quality_page", "summary", "report_markdown", "report_pictures", "report.tracked_figures"]


def create_pipeline(
    roles: Sequence[str], labels: Sequence[str], stages: Sequence[str], *, simulated: bool, searched: bool = False
) -> Pipeline:
    """Build the report of the stages that the study goes through; what is left out is said to be left out.

    searched: whether a random search chose one of the classifiers.
    """
    prepared = [f"{role}.{what}" for what in ("prepared_candidates", "quality") for role in roles]
    rejected = [f"{role}.{step}_rejections" for role in roles for step in ("ingest", "preparation", "quality")]
    warnings = [f"{role}.ingest_warnings" for role in roles]
    nodes = [
        Node(
            describe_run,
            ["parameters", "run_facts"],
            ["report.run", "report.methods", "report.config"],
            name="describe_run",
        ),
        Node(gather_rejections, rejected, "report.rejections", name="gather_rejections"),
        Node(gather_warnings, warnings, "report.warnings", name="gather_warnings"),
        Node(
            update_wrapper(partial(gather_preparation, roles=tuple(roles)), gather_preparation),
            ["params:preparation", *prepared],
            "report.preparation",
            name="gather_preparation",
        ),
    ]
    gathered = {
        "run": "report.run",
        "rejections": "report.rejections",
        "warnings": "report.warnings",
        "preparation": "report.preparation",
        "timings": "timings",
        "methods": "report.methods",
        "config": "report.config",
        "run_facts": "run_facts",
    }
    if "learn" in stages:
        flows = [f"{role}.cohort_counts" for role in roles]
        nodes += [
            Node(gather_cohort, "splits", "report.cohort", name="gather_cohort"),
            Node(gather_cohort_flow, flows, "report.cohort_flow", name="gather_cohort_flow"),
        ]
        gathered |= {
            "cohort": "report.cohort",
            "cohort_flow": "report.cohort_flow",
            "split_quality": "split_quality",
        }
    if "augment" in stages:
        nodes += [*(_generator(label) for label in labels), *(_model_card(label) for label in labels)]
        nodes.append(_generators(labels))
        gathered["generators"] = "report.generators"
    if "judge" in stages:
        nodes += [_judgement(searched=searched), _fidelity(), _arms(), _classifiers_card()]
        gathered |= {"judgement": "report.judgement", "fidelity": "report.fidelity", "lineage": "lineage"}
        if simulated:
            nodes.append(_anatomy())
            gathered |= {"volumes": "report.volumes", "phantom_check": "report.phantom_check"}
    return Pipeline([*nodes, Node(render, gathered, PAGES, name="render")])


def _generator(label: str) -> Node:
    return Node(
        gather_generator,
        [
            f"{label}.generator",
            f"{label}.synthetic_images",
            "images",
            "splits",
            f"{label}.chain_diagnostics",
            f"{label}.copying",
            f"{label}.copying_summary",
            f"{label}.membership",
        ],
        f"{label}.report_part",
        name=f"{label}.gather_generator",
    )


def _model_card(label: str) -> Node:
    inputs = [f"{label}.generator", "splits", f"{label}.copying_summary", f"{label}.membership"]
    return Node(
        write_model_card,
        [*inputs, "report.run", "report.config"],
        [f"{label}.model_card_text", f"{label}.model_card"],  # the second one's saving publishes the model
        name=f"{label}.write_model_card",
    )


def _generators(labels: Sequence[str]) -> Node:
    return Node(
        gather_generators,
        [f"{label}.report_part" for label in labels],
        "report.generators",
        name="gather_generators",
    )


def _judgement(*, searched: bool) -> Node:
    found = {"architectures": "architectures", "winner": "optimised_classifier"} if searched else {}
    return Node(
        gather_judgement,
        {
            **found,
            **{name: name for name in ("predictions", "arms", "differences", "verdict")},
            **{name: name for name in ("effect_sizes", "calibration", "subgroups", "reference_lines")},
            "failed": "failed_trainings",
            "judge": "params:judge",
        },
        "report.judgement",
        name="gather_judgement",
    )


def _arms() -> Node:
    return Node(track_arms, ["params:study", "arms", "differences"], "arms.tracked_runs", name="track_arms")


def _classifiers_card() -> Node:
    return Node(
        write_classifiers_card,
        ["splits", "arms", "images", "report.run", "report.config"],
        "classifiers_card_text",
        name="write_classifiers_card",
    )


def _anatomy() -> Node:
    measured = ["params:study", "ventricle_volumes", "phantom_check"]
    return Node(gather_anatomy, measured, ["report.volumes", "report.phantom_check"], name="gather_anatomy")


def _fidelity() -> Node:
    gathered = {
        "fidelity": "fidelity",
        "fidelity_summary": "fidelity_summary",
        "regions": "regional_volumes",
        "regions_words": "regional_volumes_summary",
        "gan": "gan_train_test",
        "gan_words": "gan_summary",
    }
    return Node(gather_fidelity, gathered, "report.fidelity", name="gather_fidelity")
