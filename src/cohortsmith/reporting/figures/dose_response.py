"""What more synthetic scans bring: the difference to real images alone over the number of synthetic scans."""

import pandas as pd
from matplotlib.axes import Axes

from cohortsmith.reporting.arm_names import ENLARGED, SYNTHETIC, read_arm
from cohortsmith.reporting.figures.style import COLOURS, INK, new_figure, styled, to_png
from cohortsmith.reporting.setting_tables import by_setting, worded

_BAND = "#e9edf1"
_MARKERS = "os"
_LINES = {ENLARGED: "-", SYNTHETIC: (0, (4, 2))}
_APART = 0.03  # lines are shifted by this share of a dose, so that their intervals do not hide each other


def doses_of(differences: pd.DataFrame) -> pd.DataFrame:
    """Keep the arms of `compare_arms` whose name says how many synthetic scans they had, with `family` and `dose`."""
    names = [read_arm(arm) for arm in differences["arm"]]
    table = differences.assign(family=[name.family for name in names], dose=[name.dose for name in names])
    return table[table["family"].isin(list(_LINES)) & table["dose"].notna()]


def draw_dose_response(differences: pd.DataFrame, smallest_effect: float) -> bytes:
    """Draw one row of panels per setting, one column per test set, one line per kind of arm, with [low, high], as PNG.

    All panels have one scale, which every difference fits on; an interval that is longer is cut.
    """
    dosed = doses_of(differences)
    settings, test_sets = by_setting(dosed), list(dict.fromkeys(dosed["test_set"]))
    with styled():
        figure = new_figure(10, 1.6 + 2.3 * len(settings))
        panels = figure.subplots(len(settings), len(test_sets), sharex=True, sharey=True, squeeze=False)
        for row, (setting, rows) in zip(panels, settings.items(), strict=True):
            for axes, test_set in zip(row, test_sets, strict=True):
                axes.axhspan(-smallest_effect, smallest_effect, color=_BAND, linewidth=0)
                axes.axhline(0, color=INK, linewidth=1)
                _draw_lines(axes, rows[rows["test_set"] == test_set])
                axes.set_title(" · ".join(filter(None, [worded(setting), f"test set: {test_set}"])))
        _draw_doses(panels[0, 0], sorted(set(dosed["dose"].astype(int))))
        panels[0, 0].set_ylim(*_scale(dosed, smallest_effect))
        for axes in panels[-1]:
            axes.set_xlabel("synthetic scans per diagnosis")
        figure.supylabel("difference of balanced accuracy", fontsize="medium")
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, handlelength=4)
        return to_png(figure)


def _scale(dosed: pd.DataFrame, smallest_effect: float) -> tuple[float, float]:
    most = max(1.5 * float(dosed["difference"].abs().max()), 3 * smallest_effect)
    return -most, most


def _draw_lines(axes: Axes, rows: pd.DataFrame) -> None:
    for number, family in enumerate(_LINES):
        line = rows[rows["family"] == family].sort_values("dose")
        if line.empty:
            continue
        where = line["dose"].astype(float) * (1 + _APART * (number - 0.5))
        spread = [line["difference"] - line["low"], line["high"] - line["difference"]]
        axes.errorbar(
            where,
            line["difference"],
            yerr=spread,
            color=COLOURS[number],
            marker=_MARKERS[number],
            linestyle=_LINES[family],
            markerfacecolor=None if family == ENLARGED else "white",
            elinewidth=1,
            label=family.replace("+", " + "),
        )


def _draw_doses(axes: Axes, doses: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(doses, [str(dose) for dose in doses])
    axes.minorticks_off()
