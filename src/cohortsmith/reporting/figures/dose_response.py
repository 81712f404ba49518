"""What more synthetic scans bring: the difference to real images alone over the number of synthetic scans."""

from itertools import product

import pandas as pd
from matplotlib.axes import Axes

from cohortsmith.reporting.arm_names import ENLARGED, SYNTHETIC, read_arm
from cohortsmith.reporting.figures.style import COLOURS, INK, new_figure, styled, to_png
from cohortsmith.reporting.setting_tables import by_setting, worded

_BAND = "#e9edf1"
_MARKERS = "osD^vP"
_LINES = {ENLARGED: "-", SYNTHETIC: (0, (4, 2))}
_APART = 0.03  # lines are shifted by this share of a dose, so that their intervals do not hide each other


def doses_of(differences: pd.DataFrame) -> pd.DataFrame:
    """Keep the arms of `compare_arms` whose name says how many synthetic scans they had, with `family` and `dose`."""
    names = [read_arm(arm) for arm in differences["arm"]]
    table = differences.assign(family=[name.family for name in names], dose=[name.dose for name in names])
    return table[table["family"].isin(list(_LINES)) & table["dose"].notna()]


def draw_dose_response(differences: pd.DataFrame, smallest_effect: float) -> bytes:
    """Draw one panel per test set, one line per setting and kind of arm, with [low, high], as PNG."""
    dosed = doses_of(differences)
    test_sets = list(dict.fromkeys(dosed["test_set"]))
    with styled():
        figure = new_figure(10, 3.9)
        panels = figure.subplots(1, len(test_sets), sharex=True, sharey=True, squeeze=False)[0]
        for axes, test_set in zip(panels, test_sets, strict=True):
            axes.axhspan(-smallest_effect, smallest_effect, color=_BAND, linewidth=0)
            axes.axhline(0, color=INK, linewidth=1)
            _draw_lines(axes, dosed[dosed["test_set"] == test_set])
            axes.set_title(f"test set: {test_set}")
            axes.set_xlabel("synthetic scans per diagnosis")
        _draw_doses(panels[0], sorted(set(dosed["dose"].astype(int))))
        panels[0].set_ylabel("difference of balanced accuracy")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, handlelength=4)
        return to_png(figure)


def _draw_lines(axes: Axes, rows: pd.DataFrame) -> None:
    settings = by_setting(rows)
    for number, ((setting, part), family) in enumerate(product(settings.items(), _LINES)):
        line = part[part["family"] == family].sort_values("dose")
        if line.empty:
            continue
        place = list(settings).index(setting)
        where = line["dose"].astype(float) * (1 + _APART * (number - len(settings) + 0.5))
        spread = [line["difference"] - line["low"], line["high"] - line["difference"]]
        axes.errorbar(
            where,
            line["difference"],
            yerr=spread,
            color=COLOURS[place % len(COLOURS)],
            marker=_MARKERS[place % len(_MARKERS)],
            linestyle=_LINES[family],
            markerfacecolor=None if family == ENLARGED else "white",
            elinewidth=1,
            label=", ".join(filter(None, [family.replace("+", " + "), worded(setting) if len(settings) > 1 else ""])),
        )


def _draw_doses(axes: Axes, doses: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(doses, [str(dose) for dose in doses])
    axes.minorticks_off()
