"""Are the scans where they should be? Every scan with its numbers, the worst first."""

from cohortsmith.reporting.blocks import Block, Card, Cards, Paragraph, Section
from cohortsmith.reporting.content import Preparation, PreparedScan, ReportContent
from cohortsmith.reporting.figures.scan_strip import draw_scan_strip
from cohortsmith.reporting.tables import readable, worded

SHOWN_IN_REPORT = 12


def preparation_section(content: ReportContent, shown: int | None = SHOWN_IN_REPORT) -> Section:
    """Show the `shown` worst scans, or all."""
    title = "Are the scans well prepared?"
    if content.preparation is None or not content.preparation.scans:
        return Section("preparation", title, [Paragraph("No scan was prepared in this run.", "absent")])
    ordered = worst_first(content.preparation)
    cards = Cards([_card(scan, content.preparation) for scan in ordered[:shown]])
    return Section("preparation", title, [*_introduction(content.preparation, len(cards.cards)), cards])


def worst_first(preparation: Preparation) -> list[PreparedScan]:
    """Order scans: flagged ones first, then by the number that counts, lowest first; unknown is worst of all."""
    return sorted(
        preparation.scans,
        key=lambda scan: (not scan.flag, scan.quality.get(preparation.sort_by, float("-inf")), scan.key),
    )


def _introduction(preparation: Preparation, shown: int) -> list[Block]:
    total, flagged = len(preparation.scans), sum(bool(scan.flag) for scan in preparation.scans)
    which = f"The {shown} worst of {total} scans" if shown < total else f"All {total} scans"
    edges = " The template's edges are drawn in amber: they should follow the anatomy." if preparation.template else ""
    found = _outstanding(flagged)
    more = " The quality page shows all of them." if shown < total else ""
    text = f"{which}, by {readable(preparation.sort_by)}, lowest first; {found}.{edges}{more}"
    return [Paragraph(text), Paragraph("Left of the picture is left of the head.", "small")]


def _outstanding(flagged: int) -> str:
    if flagged == 0:
        return "none stands out from the cohort"
    return "1 stands out from the cohort and comes first" if flagged == 1 else f"{flagged} stand out and come first"


def _card(scan: PreparedScan, preparation: Preparation) -> Card:
    numbers = sorted(scan.quality.items(), key=lambda item: item[0] != preparation.sort_by)
    template = preparation.template if _same_grid(scan, preparation) else ()
    return Card(
        title=scan.key,
        png=draw_scan_strip(scan.planes, template),
        alt=f"Central planes of {scan.key} after preparation",
        numbers=[(readable(name), worded(value, 2)) for name, value in numbers],
        flag=scan.flag,
    )


def _same_grid(scan: PreparedScan, preparation: Preparation) -> bool:
    return [plane.shape for plane in scan.planes] == [plane.shape for plane in preparation.template]
