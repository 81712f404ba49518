"""Are synthetic scans copies of training subjects? To be looked at, not only counted."""

import pandas as pd

from cohortsmith.reporting.blocks import Block, Details, Paragraph, Picture, Section
from cohortsmith.reporting.content import Generator, ReportContent
from cohortsmith.reporting.figures.neighbour_pairs import SHOWN, draw_neighbour_pairs
from cohortsmith.reporting.tables import as_table

_DO_NOT_USE = "do not use them for anything but this comparison, and do not hand them on"
_MEMBERSHIP = (
    "Can one tell who was trained on? AUC: of telling training subjects from held-out ones by their distance to the "
    "nearest synthetic scan; 0.5 is chance. Closer share: of synthetic scans nearer to a training subject than to any "
    "held-out one, beside the share expected if nothing was copied. Blurred copies escape a comparison of images, so "
    "what the generator makes of real scans (reconstructions), and their latent codes, are compared too."
)
_DESCENT = (
    "Descent: a generator learns from the training subjects of one split or fold alone. Before a classifier is "
    "trained, the run compares whom each generator saw with that split's validation, test and external subjects, and "
    "stops at the first one in common, by any session. It found none. lineage.tsv names them all."
)
_SHOWN = {
    "space": "compared",
    "auc": "AUC",
    "low": "low",
    "high": "high",
    "closer_share": "closer share",
    "expected_share": "expected",
    "p_value": "p of the share",
    "n_training": "training subjects",
    "n_held_out": "held-out subjects",
}


def copies_section(content: ReportContent) -> Section:
    """Show synthetic scans beside the training scans nearest to them."""
    blocks = [block for generator in content.generators for block in _of(generator)]
    if any(generator.membership is not None for generator in content.generators):
        blocks.append(Paragraph(_MEMBERSHIP, "small"))
    blocks += _descent(content.lineage)
    if not blocks:
        blocks = [Paragraph("No synthetic scans were compared with training scans.", "absent")]
    return Section("copies", "Are they copies of training subjects?", blocks)


def _descent(lineage: pd.DataFrame | None) -> list[Block]:
    """Say how many subjects each generator, and so each synthetic scan, descends from."""
    if lineage is None or lineage.empty:
        return []
    by_generator = lineage.groupby(["partition", "origin", "diagnosis", "generator"], sort=False)["participant_id"]
    counts = by_generator.nunique().rename("training subjects seen").reset_index()
    caption = "Each generator, by its fingerprint, which the record of every synthetic scan names too."
    title = f"Whom the {len(counts)} generators of this run saw"
    return [Paragraph(_DESCENT), Details(title, [as_table(counts, caption)])]


def _of(generator: Generator) -> list[Block]:
    blocks: list[Block] = []
    if generator.copy_screen:
        blocks.append(Paragraph(f"{generator.label}: {generator.copy_screen}"))
    if generator.n_quarantined:
        listed = f"{generator.label}: {generator.n_quarantined} of {generator.n_screened} synthetic scans"
        blocks.append(Paragraph(f"{listed} are in quarantine (quarantine.tsv): {_DO_NOT_USE}.", "warning"))
    blocks += _membership(generator)
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


def _membership(generator: Generator) -> list[Block]:
    table = generator.membership
    if table is None or table.empty:
        return []
    spaces = ", ".join(table.loc[table["shown"].eq(True), "space"])
    word = (
        Paragraph(f"{generator.label}: there are signs of who was trained on (compared by: {spaces}).", "warning")
        if spaces
        else Paragraph(f"{generator.label}: neither attack was shown to be better than chance. A stronger one may be.")
    )
    confidence = table["confidence"].iloc[0]
    caption = (
        f"{generator.label}: attacks on membership. Intervals at {confidence:.1%}, and a share counts as a sign below "
        f"p = {1 - confidence:.2g}: so corrected, all attacks hold together (Bonferroni)."
    )
    return [word, as_table(table[list(_SHOWN)].rename(columns=_SHOWN), caption)]
