"""Trainings that came to nothing, named, so that nobody takes their arm's low mean for an effect."""

import pandas as pd

from cohortsmith.evaluation.failed_trainings import DIVERGED, GUESSING, HARDLY_LEARNED, SHARE_OF_GUESSING
from cohortsmith.reporting.blocks import Block, Details, Paragraph
from cohortsmith.reporting.tables import as_table

_WHAT_TO_DO = (
    "More steps (classifier.optimizer_steps), another learning rate or more seeds (judge.n_seeds) make such trainings "
    "rarer."
)


def failed_trainings(failed: pd.DataFrame | None) -> list[Block]:
    """Say how many trainings diverged and how many hardly learned, and name them; nothing where there are none."""
    if failed is None or failed.empty:
        return []
    caption = "Step: whose state was kept. Loss: mean training loss up to there; guessing has 0.69."
    return [
        Paragraph(f"{count_failed(failed)} {_WHAT_TO_DO}", "warning"),
        Details(f"Trainings that failed: {len(failed)}", [as_table(failed, caption)]),
    ]


def count_failed(failed: pd.DataFrame) -> str:
    """Say in a sentence or two how many trainings failed, of which arms, and what became of their scores."""
    told = {
        HARDLY_LEARNED: "hardly learned: where validation chose their state, the training loss was still that of "
        f"guessing (at least {SHARE_OF_GUESSING * GUESSING:.2f}). They count in their arm's mean and interval.",
        DIVERGED: "diverged. They are left out of their arm, and so are the runs of other arms paired with them; in "
        "cross-validation the whole repeat of the arm.",
    }
    by_kind = {what: failed[failed["what"] == what] for what in told}
    return " ".join(f"{_counted(rows)} {told[what]}" for what, rows in by_kind.items() if len(rows))


def _counted(rows: pd.DataFrame) -> str:
    arms = ", ".join(f"{arm}: {count}" for arm, count in rows["arm"].value_counts(sort=False).items())
    return f"{len(rows)} training{'s' if len(rows) > 1 else ''} ({arms})"
