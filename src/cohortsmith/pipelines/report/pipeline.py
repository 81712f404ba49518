"""Everything the run knows -> one HTML report, one quality page, the words at the end."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from .nodes import (
    describe_run,
    gather_cohort,
    gather_generator,
    gather_generators,
    gather_judgement,
    gather_preparation,
    gather_rejections,
    render,
)


def create_pipeline(roles: Sequence[str], labels: Sequence[str], stages: Sequence[str], *, simulated: bool) -> Pipeline:
    """Build the report of the stages that the study goes through; what is left out is said to be left out."""
    prepared = [f"{role}.prepared_scans" for role in roles]
    rejected = [f"{role}.{step}_rejections" for role in roles for step in ("ingest", "preparation")]
    nodes = [
        Node(describe_run, ["parameters", "run_facts"], ["report.run", "report.methods"], name="describe_run"),
        Node(gather_rejections, rejected, "report.rejections", name="gather_rejections"),
        Node(
            gather_preparation,
            ["params:preparation", *prepared],
            "report.preparation",
            name="gather_preparation",
        ),
    ]
    gathered = {
        "run": "report.run",
        "rejections": "report.rejections",
        "preparation": "report.preparation",
        "timings": "timings",
        "methods": "report.methods",
        "run_facts": "run_facts",
    }
    if "learn" in stages:
        nodes.append(Node(gather_cohort, "splits", "report.cohort", name="gather_cohort"))
        gathered["cohort"] = "report.cohort"
    if "augment" in stages:
        nodes += [*(_generator(label, judged="judge" in stages) for label in labels), _generators(labels)]
        gathered["generators"] = "report.generators"
    if "judge" in stages:
        nodes.append(_judgement())
        gathered["judgement"] = "report.judgement"
        if simulated:
            gathered |= {"volumes": "ventricle_volumes", "phantom_check": "phantom_check"}
    return Pipeline([*nodes, Node(render, gathered, ["report", "quality_page", "summary"], name="render")])


def _generator(label: str, *, judged: bool) -> Node:
    screened = [f"{label}.copying", f"{label}.copying_summary"] if judged else []
    return Node(
        gather_generator,
        [
            f"{label}.generator",
            f"{label}.synthetic_images",
            "images",
            "splits",
            f"{label}.chain_diagnostics",
            *screened,
        ],
        f"{label}.report_part",
        name=f"{label}.gather_generator",
    )


def _generators(labels: Sequence[str]) -> Node:
    return Node(
        gather_generators,
        [f"{label}.report_part" for label in labels],
        "report.generators",
        name="gather_generators",
    )


def _judgement() -> Node:
    return Node(
        gather_judgement,
        ["predictions", "arms", "differences", "verdict", "params:judge"],
        "report.judgement",
        name="gather_judgement",
    )
