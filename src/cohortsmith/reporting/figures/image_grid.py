"""Images in blocks side by side, one row per plane: real beside synthetic, originals beside reconstructions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from numpy.typing import NDArray

from cohortsmith.reporting.figures.planes import central_planes, plane_names
from cohortsmith.reporting.figures.style import COLOURS, new_figure, styled, to_png

SHOWN = 5  # images per block
WIDTH = 10.0  # inches


def draw_image_grid(blocks: Mapping[str, NDArray[Any]], shown: int = SHOWN) -> bytes:
    """Draw the first `shown` images of each block, (n, *shape) in [0, 1], under the block's name, as PNG.

    All share one grey scale, the first block's, so that a pale block looks pale.
    """
    first = next(iter(blocks.values()))
    brightest = float(np.quantile(np.asarray(first[:shown], dtype=float), 0.998)) or 1.0
    example = _on_one_scale(central_planes(np.asarray(first[0])))
    columns = [min(shown, len(images)) for images in blocks.values()]
    cell = WIDTH / max(sum(columns) + 0.4, 4)
    height = sum(cell * plane.shape[0] / plane.shape[1] for plane in example)
    with styled():
        figure = new_figure(WIDTH, height + 0.4)
        parts = np.atleast_1d(np.asarray(figure.subfigures(1, len(blocks), width_ratios=columns), dtype=object))
        for index, (name, images) in enumerate(blocks.items()):
            parts[index].suptitle(name, fontsize=10, fontweight="bold", color=COLOURS[index % len(COLOURS)])
            _draw_block(parts[index], np.asarray(images[:shown]), brightest, with_names=index == 0)
        return to_png(figure)


def _draw_block(part: SubFigure, images: NDArray[Any], brightest: float, *, with_names: bool) -> None:
    planes = [_on_one_scale(central_planes(image)) for image in images]
    heights = [plane.shape[0] / plane.shape[1] for plane in planes[0]]
    axes = part.subplots(len(heights), len(images), squeeze=False, gridspec_kw={"height_ratios": heights})
    for column, views in enumerate(planes):
        for row, plane in enumerate(views):
            draw_plane(axes[row, column], plane, brightest)
    if with_names:
        for row, name in enumerate(plane_names(len(heights))):
            axes[row, 0].set_ylabel(name)


def _on_one_scale(planes: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Pad planes to one width, so that a head is as large in each of them."""
    widest = max(plane.shape[1] for plane in planes)
    return [np.pad(plane, ((0, 0), _halves(widest - plane.shape[1]))) for plane in planes]


def _halves(missing: int) -> tuple[int, int]:
    return missing // 2, missing - missing // 2


def draw_plane(axes: Axes, plane: NDArray[Any], brightest: float = 1.0) -> None:
    """Show one plane without any axis."""
    axes.imshow(plane, cmap="gray", vmin=0, vmax=brightest, interpolation="bilinear")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
