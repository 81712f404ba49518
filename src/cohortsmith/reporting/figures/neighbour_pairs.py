"""Synthetic images above the training images nearest to them: would you say they are copies?"""

from collections.abc import Sequence

from cohortsmith.reporting.content import Neighbour
from cohortsmith.reporting.figures.image_grid import draw_plane
from cohortsmith.reporting.figures.planes import central_planes
from cohortsmith.reporting.figures.style import COLOURS, INK, new_figure, styled, to_png

SHOWN = 6


def draw_neighbour_pairs(pairs: Sequence[Neighbour], shown: int = SHOWN) -> bytes:
    """Draw the closest pairs first, axial plane only, with the distance between them, as PNG."""
    closest = sorted(pairs, key=lambda pair: pair.distance)[:shown]
    brightest = max(float(pair.real.max()) for pair in closest) or 1.0
    with styled():
        figure = new_figure(10, 4.4)
        axes = figure.subplots(2, shown, squeeze=False)
        for column in axes.T[len(closest) :]:
            column[0].set_axis_off()
            column[1].set_axis_off()
        for (above, below), pair in zip(axes.T, closest, strict=False):
            draw_plane(above, central_planes(pair.synthetic)[0], brightest)
            draw_plane(below, central_planes(pair.real)[0], brightest)
            colour = COLOURS[1] if pair.flagged else INK
            title = f"distance {pair.distance:.3f}" + ("\nflagged" if pair.flagged else "")
            above.set_title(title, fontsize=8, color=colour, fontweight="normal", loc="center")
            below.set_title(_short(pair.real_key), fontsize=7, fontweight="normal", loc="center")
        axes[0, 0].set_ylabel("synthetic")
        axes[1, 0].set_ylabel("nearest training scan")
        return to_png(figure)


def _short(key: str) -> str:
    return key if len(key) <= 22 else f"{key[:10]}…{key[-10:]}"
