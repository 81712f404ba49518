"""One self-contained HTML file: no network, no script, prints well."""

import base64
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from cohortsmith.reporting.blocks import Section
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.outline import report_sections, report_title
from cohortsmith.reporting.sections.cohort import rejection_blocks
from cohortsmith.reporting.sections.preparation import preparation_section
from cohortsmith.reporting.wording import PHANTOM_BANNER


def render_report(content: ReportContent, sections: Sequence[Section] = ()) -> str:
    """Write the whole report as HTML; sections: those of `report_sections`, if they are there already."""
    return _page(report_title(content), content, list(sections) or report_sections(content))


def render_quality_page(content: ReportContent) -> str:
    """Write a page of every prepared scan, the worst first, and the scans set aside."""
    rejected = Section("rejected", "Scans set aside", rejection_blocks(content.rejections))
    sections = [preparation_section(content, shown=None), rejected]
    return _page(f"{content.run.study}: quality of the prepared scans", content, sections)


def _page(title: str, content: ReportContent, sections: list[Section]) -> str:
    environment = Environment(
        loader=PackageLoader("cohortsmith.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["embedded"] = _embedded
    banner = PHANTOM_BANNER if content.run.is_phantom else ""
    page = environment.get_template("page.html.j2")
    return page.render(title=title, run=content.run, banner=banner, sections=sections)


def _embedded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
