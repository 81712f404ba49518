"""One self-contained HTML file: no network, no script, prints well."""

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined

from cohortsmith.reporting.blocks import Section
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.sections.cohort import cohort_section, rejection_blocks
from cohortsmith.reporting.sections.copies import copies_section
from cohortsmith.reporting.sections.fidelity import fidelity_sections
from cohortsmith.reporting.sections.generators import generators_section
from cohortsmith.reporting.sections.judgement import judgement_section
from cohortsmith.reporting.sections.phantom import phantom_sections
from cohortsmith.reporting.sections.preparation import preparation_section
from cohortsmith.reporting.sections.provenance import limits_section, methods_section, provenance_section
from cohortsmith.reporting.sections.subgroups import subgroup_sections
from cohortsmith.reporting.wording import PHANTOM_BANNER


def render_report(content: ReportContent) -> str:
    """Write the whole report as HTML, the verdict first."""
    sections = [
        judgement_section(content),
        *subgroup_sections(content),
        cohort_section(content),
        preparation_section(content),
        generators_section(content),
        *fidelity_sections(content),
        copies_section(content),
        *phantom_sections(content),
        limits_section(content),
        methods_section(content),
        provenance_section(content),
    ]
    return _page(f"{content.run.study}: synthetic scans and what they are worth", content, sections)


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
