"""How this was made and how to make it again; what it cannot show; whom to cite."""

from cohortsmith.reporting.blocks import Bars, Block, Bullets, Code, Details, Paragraph, Section, Table
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.tables import duration, readable
from cohortsmith.reporting.wording import LIMITS, ONE_DRAW, ONE_TRAINING
from cohortsmith.reporting.works import works_cited


def limits_section(content: ReportContent) -> Section:
    """State what the report cannot show; the standing limits follow the study's own."""
    return Section("limits", "What this cannot show", [Bullets([*content.limits, *LIMITS, *_of_generators(content)])])


def _of_generators(content: ReportContent) -> list[str]:
    if content.config is None or content.judgement is None:
        return []
    return [ONE_TRAINING] if content.config.judge.has_own_draws else [ONE_TRAINING, ONE_DRAW]


def methods_section(content: ReportContent) -> Section:
    """Give the methods paragraph and the works to cite."""
    methods = Paragraph(content.methods) if content.methods else Paragraph("Not recorded for this run.", "absent")
    works = [*filter(None, [content.citation]), *works_cited(content.methods)]
    blocks: list[Block] = [methods, Bullets(works)] if works else [methods]
    return Section("methods", "Methods and citation", blocks)


def provenance_section(content: ReportContent) -> Section:
    """Give command, seed, versions and timings."""
    run = content.run
    versions = [[name, version] for name, version in run.versions.items()]
    blocks: list[Block] = [
        Code(f"The same command with seed {run.seed} makes the same scans and scores again.", run.command),
        *_timings(content),
        Table("Versions.", ["component", "version"], versions, [False, False]),
    ]
    return Section("provenance", "How this was made", blocks)


def _timings(content: ReportContent) -> list[Block]:
    if not content.timings:
        return [Paragraph("No step was timed.", "absent")]
    longest, total = max(content.timings.values()) or 1.0, sum(content.timings.values())
    rows = [(readable(step), duration(seconds), seconds / longest) for step, seconds in content.timings.items()]
    caption = "Wall time of each step; steps that were reused take almost none."
    return [Details(f"Time: {duration(total)} in {len(rows)} steps", [Bars(caption, rows)])]
