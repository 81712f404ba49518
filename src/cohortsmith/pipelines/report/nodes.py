"""Gather what the run knows into one report, one quality page and the words at the end."""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.config.run import RunConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.cohort import format_cohort, summarise_cohort
from cohortsmith.evaluation.scores import score_runs
from cohortsmith.evaluation.settings import per_setting
from cohortsmith.evaluation.verdict import Verdict
from cohortsmith.imaging.decisions import KEEP, PERSON
from cohortsmith.imaging.preparation import to_model_grid
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.template import template
from cohortsmith.records import Rejection
from cohortsmith.reporting.content import (
    Fidelity,
    Judgement,
    Preparation,
    PreparedScan,
    ReportContent,
    RunFacts,
)
from cohortsmith.reporting.figures.planes import as_bytes, central_planes
from cohortsmith.reporting.markdown import pictures_of, render_markdown
from cohortsmith.reporting.methods import describe_methods
from cohortsmith.reporting.outline import report_sections
from cohortsmith.reporting.report import render_quality_page, render_report
from cohortsmith.reporting.summary import end_of_run

Images = NDArray[np.float32]
LIBRARIES = ("cohortsmith", "torch", "antspyx", "nilearn", "kedro", "mlflow", "scikit-learn", "dcm2niix")
MM3_PER_ML = 1000
NOT_JUDGED = "This study's configuration stops before classifiers are trained (study.stages)."


def describe_run(parameters: dict[str, Any], run_facts: dict[str, str]) -> tuple[RunFacts, str, RunConfig]:
    """Say what was run, when, by which versions; as a paper would, by which methods; and by which settings."""
    config = RunConfig.read(parameters, "parameters")
    libraries = {library: version(library) for library in LIBRARIES}
    facts = RunFacts(
        study=config.study.name,
        command=run_facts["command"],
        seed=config.seed,
        versions={**libraries, "code": _code(run_facts)},
        is_phantom=config.study.simulated,
        date=run_facts["date"],
    )
    return facts, describe_methods(config, libraries), config


def _code(run_facts: dict[str, str]) -> str:
    commit = run_facts["commit"]
    if not commit:
        return "not a git checkout"
    changes = "with" if run_facts["code_changed"] == "yes" else "without"
    return f"git commit {commit}, {changes} local changes to its files"


def gather_preparation(
    preparation: PreparationConfig, *candidates_and_tables: Any, roles: Sequence[str]
) -> Preparation:
    """Gather every prepared scan's central planes, numbers and decision, with the template's planes beside them.

    candidates_and_tables: the prepared scans of every role, then the quality table of every role.
    """
    candidates, tables = candidates_and_tables[: len(roles)], candidates_and_tables[len(roles) :]
    shown = [
        _prepared_scan(role, scans[row.key], row)
        for role, scans, table in zip(roles, candidates, tables, strict=True)
        for row in table.itertuples(index=False)
        if row.key in scans
    ]
    return Preparation(shown, _template_planes(preparation))


def _prepared_scan(role: str, scan: Stored, row: Any) -> PreparedScan:
    by_person = row.decided_by == PERSON
    return PreparedScan(
        row.key,
        scan.record["Quality"],
        [as_bytes(plane) for plane in central_planes(scan.load().data)],
        flag=row.reason if row.decision != KEEP else "",
        decision=row.decision,
        note=f"{row.decision} was decided by a person: {row.reason}" if by_person else "",
        role=role,
    )


def gather_rejections(*rejections: list[dict[str, str]]) -> list[Rejection]:
    """Gather the scans that any step set aside."""
    return [Rejection(**row) for rows in rejections for row in rows]


def gather_warnings(*warnings: list[str]) -> list[str]:
    """Gather what the sources lack, in whole sentences."""
    return [warning for lacking in warnings for warning in lacking]


def gather_cohort(splits: pd.DataFrame) -> pd.DataFrame:
    """Summarise who is in which split, as table 1.5 of the thesis does."""
    return format_cohort(summarise_cohort(splits))


def gather_cohort_flow(*flows: pd.DataFrame) -> pd.DataFrame:
    """Put the counts of the study and of the external study below each other."""
    roles = ("training", "external")
    return pd.concat([flow.assign(role=role) for role, flow in zip(roles, flows, strict=False)], ignore_index=True)


def gather_judgement(
    predictions: pd.DataFrame,
    arms: pd.DataFrame,
    differences: pd.DataFrame,
    verdict: dict[str, Any],
    judge: JudgeConfig,
    **further: Any,
) -> Judgement:
    """Gather the classifiers' scores and the verdict; further: by the names of `Judgement`."""
    verdicts = [Verdict(**one) for one in verdict["verdicts"]]
    scores, rule = per_setting(score_runs, predictions), verdict["rule"]
    return Judgement(scores, arms, differences, verdicts, rule, judge.smallest_effect, mixture=judge.mixture, **further)


def gather_fidelity(fidelity: pd.DataFrame, fidelity_summary: dict[str, list[str]], **further: Any) -> Fidelity:
    """Gather how synthetic scans compare with held-out real ones; further: by the names of `Fidelity`."""
    return Fidelity(fidelity, fidelity_summary, **further)


class Pages(NamedTuple):
    """The report as HTML, the quality page, the text that ends the run; the report as Markdown with its pictures.

    charts: of the pictures, those that the tracker shows with the run.
    """

    report: str
    quality_page: str
    summary: str
    markdown: str
    pictures: dict[str, bytes]
    charts: dict[str, bytes]


def gather_anatomy(
    study: StudyConfig, ventricle_volumes: pd.DataFrame, phantom_check: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the measured volumes and their comparison in ml (they are kept in mm^3), controls before patients."""
    order = ventricle_volumes["diagnosis"].map(study.labels.index)
    volumes = (
        ventricle_volumes.assign(order=order).sort_values(["source", "order"], kind="stable").drop(columns="order")
    )
    measured = phantom_check.columns.difference(["source", "p_value"])
    return (
        volumes.assign(ventricle_volume=volumes["ventricle_volume"] / MM3_PER_ML),
        phantom_check.assign(**{name: phantom_check[name] / MM3_PER_ML for name in measured}),
    )


def render(run: RunFacts, run_facts: dict[str, str], **parts: Any) -> Pages:
    """Write the report as HTML and as Markdown, the quality page, and the text that ends the run.

    parts: whatever else the stages gathered, by the names of `ReportContent`.
    """
    content = ReportContent(run=run, no_judgement=NOT_JUDGED, **parts)
    sections = report_sections(content)
    ui_command = "make ui   (or: kedro ui)"
    return Pages(
        render_report(content, sections),
        render_quality_page(content),
        end_of_run(content.judgement, run_facts["report"], ui_command, NOT_JUDGED, count_scans(content)),
        render_markdown(content, sections),
        pictures_of(sections),
        pictures_of([section for section in sections if section.anchor == "verdict"]),
    )


def count_scans(content: ReportContent) -> str:
    """Say how many scans were prepared (the cohort's rules may leave some out) and set aside, and at which step."""
    decisions = Counter(scan.decision for scan in content.preparation.scans) if content.preparation else Counter()
    steps = Counter(one.step for one in content.rejections)
    per_step = ", ".join(f"{count} in {step}" for step, count in sorted(steps.items()))
    told = [f"{decisions['keep'] + decisions['look']} prepared", f"{steps.total()} set aside"]
    told[1] += f" ({per_step})" if steps else ""
    told += [f"{decisions['look']} to look at on the quality page"] * bool(decisions["look"])
    return ", ".join(told)


def _template_planes(preparation: PreparationConfig) -> list[NDArray[np.uint8]]:
    if preparation.kind == "slices":
        return []
    aligned = to_model_grid(template(preparation.resolution, preparation.template.path), preparation)
    return [as_bytes(plane) for plane in central_planes(aligned.data)]
