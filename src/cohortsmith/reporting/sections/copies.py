"""Are synthetic scans copies of training subjects? To be looked at, not only counted."""

from cohortsmith.reporting.blocks import Block, Paragraph, Picture, Section
from cohortsmith.reporting.content import Generator, ReportContent
from cohortsmith.reporting.figures.neighbour_pairs import SHOWN, draw_neighbour_pairs


def copies_section(content: ReportContent) -> Section:
    """Show synthetic scans beside the training scans nearest to them."""
    blocks = [block for generator in content.generators for block in _of(generator)]
    if not blocks:
        blocks = [Paragraph("No synthetic scans were compared with training scans.", "absent")]
    return Section("copies", "Are they copies of training subjects?", blocks)


def _of(generator: Generator) -> list[Block]:
    blocks: list[Block] = []
    if generator.copy_screen:
        blocks.append(Paragraph(f"{generator.label}: {generator.copy_screen}"))
    if generator.neighbours:
        blocks.append(
            Picture(
                draw_neighbour_pairs(generator.neighbours),
                f"Synthetic scans of {generator.label} above the training scans nearest to them",
                f"{generator.label}: the {min(SHOWN, len(generator.neighbours))} closest pairs of those compared, "
                "closest first. Distance: root mean square difference in intensity units, over the whole image.",
            )
        )
    return blocks
