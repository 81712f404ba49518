"""Are the scans where they should be? Every scan with its numbers, the worst first, and how to decide on it."""

from collections import Counter

from cohortsmith.reporting.blocks import Block, Card, Cards, Code, Paragraph, Section
from cohortsmith.reporting.content import Preparation, PreparedScan, ReportContent
from cohortsmith.reporting.figures.scan_strip import draw_scan_strip
from cohortsmith.reporting.tables import readable, worded

SHOWN_IN_REPORT = 12
_ORDER = ("drop", "look", "keep")
_HEADER = "participant_id\tsession_id\tdecision\treason"


def preparation_section(content: ReportContent, shown: int | None = SHOWN_IN_REPORT) -> Section:
    """Show the `shown` worst scans, or all, each with the line that records another decision."""
    title = "Are the scans well prepared?"
    if content.preparation is None or not content.preparation.scans:
        return Section("preparation", title, [Paragraph("No scan was prepared in this run.", "absent")])
    ordered = worst_first(content.preparation)
    cards = Cards([_card(scan, content.preparation, deciding=shown is None) for scan in ordered[:shown]])
    deciding = _how_to_decide(content) if shown is None else []
    return Section("preparation", title, [*_introduction(content.preparation, len(cards.cards)), *deciding, cards])


def worst_first(preparation: Preparation) -> list[PreparedScan]:
    """Order scans: dropped, to look at, kept; each by the number that counts, lowest first; unknown is worst of all."""
    return sorted(
        preparation.scans,
        key=lambda scan: (
            _ORDER.index(scan.decision),
            not scan.flag,
            scan.quality.get(preparation.sort_by, float("-inf")),
            scan.key,
        ),
    )


def _introduction(preparation: Preparation, shown: int) -> list[Block]:
    total = len(preparation.scans)
    which = f"The {shown} worst of {total} scans" if shown < total else f"All {total} scans"
    edges = " The template's edges are drawn in amber: they should follow the anatomy." if preparation.template else ""
    more = " The quality page shows all of them." if shown < total else ""
    text = f"{which}, by {readable(preparation.sort_by)}, lowest first; {_counted(preparation)}.{edges}{more}"
    return [Paragraph(text), Paragraph("Left of the picture is left of the head.", "small")]


def _counted(preparation: Preparation) -> str:
    counts = Counter(scan.decision for scan in preparation.scans)
    told = [f"{counts['drop']} dropped"] * bool(counts["drop"])
    told += [f"{counts['look']} to look at, kept until a person drops them"] * bool(counts["look"])
    return " and ".join(told) + (", shown first" if told else "none stands out from the cohort")


def _how_to_decide(content: ReportContent) -> list[Block]:
    folders = sorted({scan.role for scan in content.preparation.scans}) if content.preparation else []
    places = " or ".join(f"data/03_primary/{content.run.study}/{role}/decisions.tsv" for role in folders)
    return [
        Code(
            f"To keep or drop a scan, copy the line below its picture, tabs and all, into {places} (a new file starts "
            "with the line shown here), write why, and run the same command again. An empty session counts for all.",
            _HEADER,
        )
    ]


def _card(scan: PreparedScan, preparation: Preparation, *, deciding: bool) -> Card:
    numbers = sorted(scan.quality.items(), key=lambda item: item[0] != preparation.sort_by)
    template = preparation.template if _same_grid(scan, preparation) else ()
    return Card(
        title=scan.key,
        png=draw_scan_strip(scan.planes, template),
        alt=f"Central planes of {scan.key} after preparation",
        numbers=[("decision", scan.decision), *((readable(name), worded(value, 2)) for name, value in numbers)],
        flag=scan.flag,
        note=scan.note,
        line=_line(scan) if deciding else "",
    )


def _line(scan: PreparedScan) -> str:
    subject, _, session = scan.key.partition("_")
    return "\t".join([subject, session, "keep" if scan.decision == "drop" else "drop", "reason"])


def _same_grid(scan: PreparedScan, preparation: Preparation) -> bool:
    return [plane.shape for plane in scan.planes] == [plane.shape for plane in preparation.template]
