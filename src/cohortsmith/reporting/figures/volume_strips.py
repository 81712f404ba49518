"""The size of the ventricles, scan by scan, real beside synthetic: the effect that must survive."""

import numpy as np
import pandas as pd

from cohortsmith.reporting.figures.style import COLOURS, INK, new_figure, styled, to_png


def draw_volume_strips(volumes: pd.DataFrame) -> bytes:
    """Draw one strip per diagnosis and source (real, synthetic) of ventricle_volume in ml, as PNG."""
    groups = list(volumes.groupby(["source", "diagnosis"], sort=False))
    diagnoses = list(dict.fromkeys(volumes["diagnosis"]))
    with styled():
        figure = new_figure(7, 3.2)
        axes = figure.subplots()
        for place, ((_, diagnosis), rows) in enumerate(groups):
            values = np.sort(rows["ventricle_volume"].to_numpy())
            # The golden angle spreads neighbours in value apart without any chance.
            across = place + 0.3 * (np.modf(np.arange(len(values)) * 0.6180339887)[0] - 0.5)
            colour = COLOURS[diagnoses.index(diagnosis) % len(COLOURS)]
            axes.plot(across, values, "o", color=colour, alpha=0.5, markersize=4, markeredgewidth=0)
            axes.hlines(np.median(values), place - 0.25, place + 0.25, color=INK, linewidth=2)
        axes.set_xticks(range(len(groups)), [f"{source}\n{diagnosis}" for (source, diagnosis), _ in groups])
        axes.set_ylabel("ventricles, ml")
        axes.grid(visible=False, axis="x")
        return to_png(figure)
