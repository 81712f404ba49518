"""The balanced accuracy of every arm: each seed, the mean, its interval, and where chance lies."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cohortsmith.reporting.figures.style import COLOURS, INK, QUIET, new_figure, styled, to_png


def draw_arm_scores(scores: pd.DataFrame, arms: pd.DataFrame) -> bytes:
    """Draw one panel per test set, one line per arm, as PNG.

    scores: test_set, arm, seed, balanced_accuracy. arms: test_set, arm, balanced_accuracy_mean, low, high.
    """
    names, test_sets = list(dict.fromkeys(arms["arm"])), list(dict.fromkeys(arms["test_set"]))
    with styled():
        figure = new_figure(10, 1.1 + 0.42 * len(names))
        panels = figure.subplots(1, len(test_sets), sharex=True, sharey=True, squeeze=False)[0]
        for axes, test_set in zip(panels, test_sets, strict=True):
            _draw_panel(axes, scores[scores["test_set"] == test_set], arms[arms["test_set"] == test_set], names)
            axes.set_title(f"test set: {test_set}")
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.5, -0.6)
        panels[0].set_xlim(*_limits(scores, arms))
        return to_png(figure)


def _draw_panel(axes: Axes, scores: pd.DataFrame, arms: pd.DataFrame, names: list[str]) -> None:
    axes.axvline(0.5, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(0.5, 0.01, " chance", color=QUIET, fontsize=7, va="bottom", transform=axes.get_xaxis_transform())
    for row, name in enumerate(names):
        values = scores.loc[scores["arm"] == name, "balanced_accuracy"].to_numpy()
        above = np.full(len(values), row - 0.24)  # the axis is inverted
        axes.plot(values, above, "o", color=COLOURS[0], alpha=0.5, markersize=4.5, markeredgewidth=0)
    rows = [names.index(name) for name in arms["arm"]]
    axes.hlines(rows, arms["low"], arms["high"], color=INK, linewidth=1.6)
    axes.plot(arms["balanced_accuracy_mean"], rows, "D", color=INK, markersize=5)
    axes.set_xlabel("balanced accuracy")
    axes.grid(visible=False, axis="y")


def _limits(scores: pd.DataFrame, arms: pd.DataFrame) -> tuple[float, float]:
    values = pd.concat([scores["balanced_accuracy"], arms["low"], arms["high"]]).dropna()
    return max(-0.02, min(0.45, values.min() - 0.03)), min(1.02, max(0.75, values.max() + 0.03))
