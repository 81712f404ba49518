"""What the random search found: the network that won, and how far it is ahead of the next."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cohortsmith.reporting.blocks import Block, Paragraph, Table
from cohortsmith.reporting.content import Judgement
from cohortsmith.reporting.tables import mean_and_spread, worded

_BEST = 5  # the winner and four more, for scale
_FLATTERS = (
    "The mean over folds chose the winner out of many, so it flatters; the tables of the arms say what the network "
    "does on test subjects."
)


def search_blocks(judgement: Judgement) -> list[Block]:
    """Describe the search's winner and the next best; nothing where no search was run."""
    table, winner = judgement.architectures, judgement.winner
    if table is None or winner is None:
        return []
    return [
        Paragraph("The optimised network:", "setting"),
        Paragraph(_outcome(table)),
        Table("The network that won.", ["", ""], _described(winner), [False, False]),
        _ranking(table),
    ]


def _outcome(table: pd.DataFrame) -> str:
    diverged = int(table["balanced_accuracy"].isna().sum())
    out = "none diverged" if diverged == 0 else f"{diverged} diverged on a fold or more and are out"
    return (
        f"The best mean balanced accuracy of {len(table)} random architectures over {len(_folds(table).columns)} folds "
        f"of the full training set; {out}. {_FLATTERS}"
    )


def _described(winner: Mapping[str, Any]) -> list[list[str]]:
    channels = winner["channels"]
    counts = winner["convolutions"] or [1] * len(channels)
    blocks = ", ".join(f"{width} ({count})" for width, count in zip(channels, counts, strict=True))
    return [
        ["channels of each block (convolutions)", blocks],
        ["dense layers before the output", ", ".join(map(str, winner["dense"])) or "none"],
        ["dropout", worded(winner["dropout"])],
        ["learning rate", f"{winner['learning_rate']:.2g}"],
        ["weight decay", f"{winner['weight_decay']:.2g}"],
    ]


def _ranking(table: pd.DataFrame) -> Table:
    best = table.dropna(subset="balanced_accuracy").nlargest(_BEST, "balanced_accuracy")  # the first drawn wins a tie
    rows = [_ranked(row, _folds(best).loc[row.Index]) for row in best.itertuples()]
    caption = "The best architectures: balanced accuracy, mean ± standard deviation over folds, and its range."
    return Table(caption, ["architecture", "balanced accuracy", "worst fold", "best fold"], rows, [False] + [True] * 3)


def _ranked(row: Any, folds: pd.Series) -> list[str]:
    accuracy = mean_and_spread(row.balanced_accuracy, folds.std(), 3)
    return [str(row.architecture), accuracy, worded(folds.min()), worded(folds.max())]


def _folds(table: pd.DataFrame) -> pd.DataFrame:
    return table.filter(regex=r"^fold_\d+$")
