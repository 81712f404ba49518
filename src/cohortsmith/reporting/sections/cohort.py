"""Who is in the study, and which scans were set aside."""

from collections import Counter
from collections.abc import Sequence

from cohortsmith.records import Rejection
from cohortsmith.reporting.blocks import Block, Paragraph, Section, Table
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.tables import as_table

_CAPTION = "Subjects at their first session. Splits are by subject; every generator saw training subjects only."


def cohort_section(content: ReportContent) -> Section:
    """Show the table of demographics and every rejected scan."""
    return Section("cohort", "Who is in the study", [*_demographics(content), *rejection_blocks(content.rejections)])


def rejection_blocks(rejections: Sequence[Rejection]) -> list[Block]:
    """Show every rejected scan with its step and reason."""
    if not rejections:
        return [Paragraph("No scan was set aside.")]
    per_step = ", ".join(f"{count} in {step}" for step, count in Counter(one.step for one in rejections).items())
    scans = "1 scan was" if len(rejections) == 1 else f"{len(rejections)} scans were"
    return [
        Paragraph(f"{scans} set aside ({per_step}); the rest of the study went on without them."),
        Table("Scans set aside.", ["scan", "step", "reason"], [list(one) for one in rejections], [False] * 3),
    ]


def _demographics(content: ReportContent) -> list[Block]:
    if content.cohort is None or content.cohort.empty:
        return [Paragraph("No table of participants was made in this run.", "absent")]
    return [as_table(content.cohort, _CAPTION, digits=1)]
