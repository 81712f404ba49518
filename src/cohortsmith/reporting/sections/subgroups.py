"""Whom do the synthetic scans help? The enlarged arm within each group of test subjects."""

import pandas as pd

from cohortsmith.reporting.blocks import Block, Paragraph, Section, Table
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.sections.judgement import ENLARGED
from cohortsmith.reporting.tables import interval_text, readable

_CAPTION = (
    f"Balanced accuracy of {ENLARGED} minus that of real images alone within each group of test subjects, and by how "
    "much that differs from all other subjects. p-values are corrected for all arms and groups (Holm); a group whose "
    "own interval excludes zero is to be expected by chance when there are many. Other arms: subgroups.tsv."
)
_HEADER = ("test set", "group", "controls + patients", "difference", "interval", "against the others", "interval", "p")


def subgroup_sections(content: ReportContent) -> list[Section]:
    """Show the groups that are large enough, and count the others; nothing where no groups are known."""
    groups = content.judgement.subgroups if content.judgement else None
    if groups is None or groups.empty:
        return []
    own = groups[groups["arm"] == ENLARGED]
    if own.empty:
        return []
    return [Section("subgroups", "Whom do they help?", _blocks(own))]


def _blocks(groups: pd.DataFrame) -> list[Block]:
    few = groups["too_few"].astype(bool)
    blocks: list[Block] = [Table(_CAPTION, _HEADER, _rows(groups[~few]), [False, False, *[True] * 6])] * (not few.all())
    if few.any():
        counted = f"{few.sum()} of {len(groups)} groups"
        blocks.append(Paragraph(f"{counted} have, or leave to the others, too few subjects or seeds.", "absent"))
    return blocks


def _rows(groups: pd.DataFrame) -> list[list[str]]:
    return [
        [
            str(row["test_set"]),
            f"{readable(row['variable'])} {row['group']}",
            f"{row['n_controls']} + {row['n_patients']}",
            f"{row['difference']:+.3f}",
            interval_text(row["low"], row["high"], 3, "+"),
            f"{row['interaction']:+.3f}",
            interval_text(row["interaction_low"], row["interaction_high"], 3, "+"),
            f"{row['p_holm']:.2g}",
        ]
        for row in groups.to_dict("records")
    ]
