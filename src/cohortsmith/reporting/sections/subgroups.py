"""Whom do the synthetic scans help? The enlarged arm within each group of test subjects."""

import pandas as pd

from cohortsmith.reporting.arm_names import ENLARGED, is_enlarged, read_arm
from cohortsmith.reporting.blocks import Block, Paragraph, Section, Table
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.setting_tables import by_setting, worded
from cohortsmith.reporting.tables import interval_text, readable

_CAPTION = (
    "Balanced accuracy of {arm} minus that of real images alone within each group of test subjects, and by how "
    "much that differs from all other subjects. p-values are corrected for all arms and groups (Holm); a group whose "
    "own interval excludes zero is to be expected by chance when there are many. Other arms: subgroups.tsv."
)
_HEADER = ("test set", "group", "controls + patients", "difference", "interval", "against the others", "interval", "p")


def subgroup_sections(content: ReportContent) -> list[Section]:
    """Show the groups that are large enough, and count the others; nothing where no groups are known."""
    groups = content.judgement.subgroups if content.judgement else None
    if groups is None or groups.empty:
        return []
    own = groups[groups["arm"] == _leading_arm(groups)]
    if own.empty:
        return []
    settings = by_setting(own)
    blocks = [
        block
        for setting, part in settings.items()
        for block in ([Paragraph(f"{worded(setting)}:", "setting")] * (len(settings) > 1) + _blocks(part))
    ]
    return [Section("subgroups", "Whom do they help?", blocks)]


def _leading_arm(groups: pd.DataFrame) -> str:
    """Choose the arm of real and synthetic scans, with the largest number of synthetic ones."""
    arms = [arm for arm in set(groups["arm"]) if is_enlarged(arm)]
    return max(arms, key=lambda arm: read_arm(arm).dose or 0, default=ENLARGED)


def _blocks(groups: pd.DataFrame) -> list[Block]:
    few = groups["too_few"].astype(bool)
    caption = _CAPTION.format(arm=groups["arm"].iloc[0])
    blocks: list[Block] = [Table(caption, _HEADER, _rows(groups[~few]), [False, False, *[True] * 6])] * (not few.all())
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
            f"{row['difference']:+z.3f}",
            interval_text(row["low"], row["high"], 3, "+"),
            f"{row['interaction']:+z.3f}",
            interval_text(row["interaction_low"], row["interaction_high"], 3, "+"),
            f"{row['p_holm']:.2g}",
        ]
        for row in groups.to_dict("records")
    ]
