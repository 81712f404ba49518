"""In the phantom the truth is known: does the effect of the disease survive in the synthetic scans?"""

from cohortsmith.reporting.blocks import Block, Paragraph, Picture, Section
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.figures.volume_strips import draw_volume_strips
from cohortsmith.reporting.tables import as_table

_CAPTION = (
    "Lateral ventricles in ml, real and synthetic: means, and the patients' minus the controls' with its interval."
)


def phantom_sections(content: ReportContent) -> list[Section]:
    """Compare known anatomy, real beside synthetic; nothing for a study of people without measured volumes."""
    blocks = [*_strips(content), *_table(content)]
    if blocks:
        return [Section("anatomy", "Does the known effect survive?", blocks)]
    if content.run.is_phantom:
        absent = Paragraph("The anatomy of this phantom run was not measured.", "absent")
        return [Section("anatomy", "Does the known effect survive?", [absent])]
    return []


def _strips(content: ReportContent) -> list[Block]:
    if content.volumes is None or content.volumes.empty:
        return []
    caption = "Volume of the lateral ventricles in each scan; line: median. Patients' ventricles are larger."
    return [Picture(draw_volume_strips(content.volumes), "Ventricle volumes, real and synthetic", caption, 640)]


def _table(content: ReportContent) -> list[Block]:
    if content.phantom_check is None or content.phantom_check.empty:
        return []
    return [as_table(content.phantom_check, _CAPTION, digits=2)]
