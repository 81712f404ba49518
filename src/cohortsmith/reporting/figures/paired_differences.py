"""What each arm adds to real images alone, with its interval, against what would be too small to matter."""

import pandas as pd
from matplotlib.axes import Axes

from cohortsmith.reporting.figures.style import COLOURS, INK, new_figure, styled, to_png

_BAND = "#e9edf1"


def draw_paired_differences(differences: pd.DataFrame, smallest_effect: float) -> bytes:
    """Draw one panel per test set: difference with [low, high] per arm, zero, and ± smallest_effect, as PNG."""
    names, test_sets = list(dict.fromkeys(differences["arm"])), list(dict.fromkeys(differences["test_set"]))
    with styled():
        figure = new_figure(10, 1.2 + 0.42 * len(names))
        panels = figure.subplots(1, len(test_sets), sharex=True, sharey=True, squeeze=False)[0]
        for axes, test_set in zip(panels, test_sets, strict=True):
            axes.axvspan(-smallest_effect, smallest_effect, color=_BAND, linewidth=0)
            _draw_rows(axes, differences[differences["test_set"] == test_set], names)
            axes.set_title(f"test set: {test_set}")
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        panels[0].set_xlim(*_limits(differences, smallest_effect))
        return to_png(figure)


def _draw_rows(axes: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    axes.axvline(0, color=INK, linewidth=1)
    heights = [names.index(name) for name in rows["arm"]]
    colours = [_colour(low, high) for low, high in zip(rows["low"], rows["high"], strict=True)]
    axes.hlines(heights, rows["low"], rows["high"], color=colours, linewidth=2)
    axes.scatter(rows["difference"], heights, color=colours, marker="s", s=36, zorder=3)
    axes.set_xlabel("difference of balanced accuracy")
    axes.grid(visible=False, axis="y")


def _colour(low: float, high: float) -> str:
    if low > 0:
        return COLOURS[2]
    return COLOURS[1] if high < 0 else INK


def _limits(differences: pd.DataFrame, smallest_effect: float) -> tuple[float, float]:
    reach = pd.concat([differences["low"], differences["high"], differences["difference"]]).abs().max()
    widest = 1.1 * max(2 * smallest_effect, 0.0 if pd.isna(reach) else float(reach))
    return -widest, widest
