"""What stands in the report and in which order, whatever it is written as."""

from cohortsmith.reporting.blocks import Section
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.sections.checklists import checklists_section
from cohortsmith.reporting.sections.cohort import cohort_section
from cohortsmith.reporting.sections.copies import copies_section
from cohortsmith.reporting.sections.fidelity import fidelity_sections
from cohortsmith.reporting.sections.generators import generators_section
from cohortsmith.reporting.sections.judgement import judgement_section
from cohortsmith.reporting.sections.paper_tables import paper_sections
from cohortsmith.reporting.sections.phantom import phantom_sections
from cohortsmith.reporting.sections.preparation import preparation_section
from cohortsmith.reporting.sections.provenance import limits_section, methods_section, provenance_section
from cohortsmith.reporting.sections.subgroups import subgroup_sections


def report_title(content: ReportContent) -> str:
    """Name the report."""
    return f"{content.run.study}: synthetic scans and what they are worth"


def report_sections(content: ReportContent) -> list[Section]:
    """Give all sections, the verdict first."""
    sections = [
        judgement_section(content),
        *paper_sections(content),
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
    return [*sections, checklists_section(content, sections)]
