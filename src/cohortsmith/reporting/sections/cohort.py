"""Who is in the study, and which scans were set aside."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from cohortsmith.evaluation.cohort_rules import CONVERTED, REASONS
from cohortsmith.records import Rejection
from cohortsmith.reporting.blocks import Block, Paragraph, Section, Table
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.tables import as_table

_STUDIES = {"training": "the study", "external": "the external study"}
_SHOWN = 200
_CAPTION = "Subjects at their first session. Splits are by subject; every generator saw training subjects only."


def cohort_section(content: ReportContent) -> Section:
    """Show from which scans the cohort was made, who is in it, how alike its sets are, and every rejected scan."""
    blocks = [
        *(Paragraph(f"Missing from the source: {warning}", "warning") for warning in content.warnings),
        *_flow(content.cohort_flow),
        *_demographics(content),
        *_quality(content.split_quality),
        *rejection_blocks(content.rejections),
    ]
    return Section("cohort", "Who is in the study", blocks)


def rejection_blocks(rejections: Sequence[Rejection]) -> list[Block]:
    """Show every rejected scan with its step and reason."""
    if not rejections:
        return [Paragraph("No scan was set aside.")]
    per_step = ", ".join(f"{count} in {step}" for step, count in Counter(one.step for one in rejections).items())
    scans = "1 scan was" if len(rejections) == 1 else f"{len(rejections)} scans were"
    caption = "Scans set aside."
    if len(rejections) > _SHOWN:
        caption = f"The first {_SHOWN} scans set aside; ledger.tsv lists all."
    return [
        Paragraph(f"{scans} set aside ({per_step}); the rest of the study went on without them."),
        *_per_rule(rejections),
        Table(
            caption,
            ["scan", "step", "reason"],
            [[one.key or one.candidate, one.step, one.reason] for one in rejections[:_SHOWN]],
            [False] * 3,
        ),
    ]


def _per_rule(rejections: Sequence[Rejection]) -> list[Block]:
    counts = Counter(one.rule for one in rejections if one.rule)
    if not counts:
        return []
    rows = [[rule, str(count)] for rule, count in counts.most_common()]
    return [Table("Scans set aside, by rule of the ledger.", ["rule", "scans"], rows, [False, True])]


def _demographics(content: ReportContent) -> list[Block]:
    if content.cohort is None or content.cohort.empty:
        return [Paragraph("No table of participants was made in this run.", "absent")]
    return [as_table(content.cohort, _CAPTION, digits=1)]


def _flow(flow: pd.DataFrame | None) -> list[Block]:
    if flow is None:
        return []
    return [
        Table(
            f"From the converted scans of {_STUDIES[str(role)]} to those used. Diagnoses were judged on every known "
            "clinical visit, scanned or not.",
            ["step", "scans", "subjects"],
            [_flow_row(*row) for row in part[["stage", "rule", "scans", "subjects"]].itertuples(index=False)],
            [False, True, True],
        )
        for role, part in flow.groupby("role", sort=False)
    ]


def _flow_row(stage: str, rule: str | None, scans: int, subjects: int) -> list[str]:
    if pd.isna(rule):
        return [f"scans {stage}" if stage == CONVERTED else stage, str(scans), str(subjects)]
    return [f"– left out: {REASONS[str(rule)]}", f"– {scans}", f"({subjects})"]


def _quality(quality: pd.DataFrame | None) -> list[Block]:
    if quality is None or quality.empty:
        return []
    target = quality["target_p"].iloc[0]
    short = [f"{row.diagnosis}, {row.compared}" for row in quality.itertuples() if not row.reached]
    shown = quality.drop(columns=["target_p", "reached"])
    words = (
        "p-values of age (t-test), sex and site (chi-square on counts). "
        "Chosen to be high, they show balance and test no hypothesis."
    )
    return [
        Paragraph(f"Below the wanted p of {target:g}: {'; '.join(short)}.", "warning")
        if short
        else Paragraph(f"All sets are alike in what was to be matched, with p of {target:g} or more."),
        as_table(shown, f"How alike the sets are: {words}"),
    ]
