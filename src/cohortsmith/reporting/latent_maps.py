"""Pictures of the latent geometry: volume, anisotropy, distances, and the ways between two codes.

In two dimensions a map shows the latent space itself, in more the plane of the codes' first two principal axes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike, NDArray

from cohortsmith.core.planes import Grid
from cohortsmith.reporting.figures.image_grid import draw_plane
from cohortsmith.reporting.figures.planes import central_planes
from cohortsmith.reporting.figures.style import COLOURS, INK, QUIET, new_figure, styled, to_png

MARKERS = "o^sDvP"  # so that labels are told apart without colour too
WIDTH = 6.2  # inches of a map
REACH = 1.15  # of the distance to the farthest code, shown in colours of its own
GEODESIC, STRAIGHT = COLOURS[0], COLOURS[1]
_WHITE_EDGE = (Stroke(linewidth=4.2, foreground="white"), Normal())


class LatentMap(NamedTuple):
    """Values over a rectangle: horizontal (n,), vertical (m,) coordinates, values (m, n), a name for each axis."""

    horizontal: NDArray[Any]
    vertical: NDArray[Any]
    values: NDArray[Any]
    axis_names: tuple[str, str]


class Codes(NamedTuple):
    """Where the codes lie on the map, (N, 2), and what each is, by name; no names, no colours."""

    coordinates: NDArray[Any]
    labels: Sequence[str] = ()


def latent_map(points: Grid, values: ArrayLike) -> LatentMap:
    """Join a grid of the latent space and values (m, n) on it into a map."""
    horizontal, vertical, mapped = (_array(part) for part in (points.horizontal, points.vertical, values))
    return LatentMap(horizontal, vertical, mapped, _axis_names(points))


def draw_log_volume(volume: LatentMap, codes: Codes) -> bytes:
    """Draw log sqrt det G, dark where a step costs most, under the codes, as PNG."""
    with styled():
        figure, axes = _new_map("log volume of the metric", volume)
        figure.colorbar(_show(axes, volume, "Greys"), ax=axes, label=r"$\log\,\sqrt{\det G(z)}$")
        _draw_codes(axes, codes)
        return to_png(figure)


def draw_anisotropy(shares: LatentMap, codes: Codes) -> bytes:
    """Draw (l_max - l_min) / (l_max + l_min), from 0 to the largest there is, under the codes, as PNG."""
    with styled():
        figure, axes = _new_map("anisotropy of the metric", shares)
        image = _show(axes, shares, "cividis", lowest=0)
        label = r"$(\lambda_{max} - \lambda_{min})\,/\,(\lambda_{max} + \lambda_{min})$"
        figure.colorbar(image, ax=axes, label=f"{label}   (0: all directions alike, 1: at most)")
        _draw_codes(axes, codes, colours=("white",))
        return to_png(figure)


def draw_distances(distances: LatentMap, source: ArrayLike, codes: Codes) -> bytes:
    """Draw the distances from a source (2,) with lines of equal distance, under the codes, as PNG.

    The colours end a little beyond the farthest code: the void would take them all.
    """
    farthest = REACH * _largest_at(distances, codes.coordinates)
    lines = np.linspace(0, farthest, 11)[1:]
    with styled():
        figure, axes = _new_map("distance from one code", distances)
        image = _show(axes, distances, "cividis_r", lowest=0, highest=farthest)
        field = (distances.horizontal, distances.vertical, distances.values)
        axes.contour(*field, lines, colors=INK, linewidths=0.6, alpha=0.7)
        bar = figure.colorbar(image, ax=axes, extend="max", label="Riemannian distance; darkest: beyond all codes")
        bar.ax.hlines(lines, 0, 1, transform=bar.ax.get_yaxis_transform(), color=INK, linewidth=0.6)
        _draw_codes(axes, codes, colours=("white",))
        place = _array(source)
        axes.plot(*place, "*", color=COLOURS[1], markersize=17, markeredgecolor="white", label="from here", zorder=5)
        _legend(axes)
        return to_png(figure)


def draw_ways(volume: LatentMap, geodesic: ArrayLike, straight: ArrayLike, codes: Codes) -> bytes:
    """Draw the geodesic (n, 2) and the straight line (n, 2) between two codes over the log volume, as PNG."""
    way, line = _array(geodesic), _array(straight)
    with styled():
        figure, axes = _new_map("two ways from A to B", volume)
        figure.colorbar(_show(axes, volume, "Greys"), ax=axes, label=r"$\log\,\sqrt{\det G(z)}$")
        _draw_codes(axes, codes, colours=(QUIET,))
        for points, colour, style, name in (
            (line, STRAIGHT, (0, (4, 2)), "straight line"),
            (way, GEODESIC, "-", "geodesic"),
        ):
            axes.plot(*points.T, color=colour, linestyle=style, linewidth=2.4, path_effects=_WHITE_EDGE, label=name)
        for name, place in (("A", way[0]), ("B", way[-1])):
            axes.text(*place, name, ha="center", va="center", fontweight="bold", fontsize=8, zorder=6, bbox=_disc())
        _legend(axes)
        return to_png(figure)


def draw_interpolations(geodesic: ArrayLike, straight: ArrayLike) -> bytes:
    """Draw images (n, *shape) decoded along the geodesic above those along the straight line, as PNG.

    Of a volume the axial plane. Both rows share one grey scale.
    """
    rows = {"geodesic": _array(geodesic), "straight line": _array(straight)}
    planes = [[central_planes(image)[0] for image in images] for images in rows.values()]
    brightest = float(np.quantile(np.asarray(planes), 0.998)) or 1.0
    across, (height, width) = len(planes[0]), planes[0][0].shape
    with styled():
        figure = new_figure(10, 0.35 + 2 * 10 / across * height / width)
        axes = figure.subplots(2, across, squeeze=False)
        for row, (name, colour) in enumerate(zip(rows, (GEODESIC, STRAIGHT), strict=True)):
            for column, plane in enumerate(planes[row]):
                draw_plane(axes[row, column], plane, brightest)
            axes[row, 0].set_ylabel(name, color=colour, fontweight="bold")
        for column, share in enumerate(np.linspace(0, 100, across)):
            axes[0, column].set_title(_way_point(column, across, share), loc="center", fontsize=8, fontweight="normal")
        return to_png(figure)


def _way_point(column: int, across: int, share: float) -> str:
    return {0: "A", across - 1: "B"}.get(column, f"{share:.0f} %")


def _new_map(title: str, shown: LatentMap) -> tuple[Any, Axes]:
    figure = new_figure(WIDTH, 0.84 * WIDTH)
    axes = figure.subplots()
    axes.set(title=title, xlabel=shown.axis_names[0], ylabel=shown.axis_names[1])
    axes.grid(visible=False)
    return figure, axes


def _show(
    axes: Axes, shown: LatentMap, colours: str, lowest: float | None = None, highest: float | None = None
) -> AxesImage:
    extent = (*_borders(shown.horizontal), *_borders(shown.vertical))
    values = np.ma.masked_invalid(shown.values)
    return axes.imshow(
        values, cmap=colours, vmin=lowest, vmax=highest, extent=extent, origin="lower", interpolation="bilinear"
    )


def _borders(axis: NDArray[Any]) -> tuple[float, float]:
    """Give where the first pixel begins and the last one ends: the axis holds their middles."""
    half = 0.5 * float(axis[1] - axis[0])
    return float(axis[0]) - half, float(axis[-1]) + half


def _largest_at(shown: LatentMap, coordinates: NDArray[Any]) -> float:
    """Give the largest finite value at the points of the map nearest to coordinates (N, 2)."""
    column, row = (
        np.abs(axis - values[:, None]).argmin(axis=1)
        for axis, values in zip((shown.horizontal, shown.vertical), _array(coordinates).T, strict=True)
    )
    found = shown.values[row, column]
    return float(found[np.isfinite(found)].max())


def _draw_codes(axes: Axes, codes: Codes, colours: Sequence[str] = COLOURS) -> None:
    """Draw each label's codes with its own colour and marker; one colour for all if only one is given."""
    names = np.asarray(codes.labels if len(codes.labels) else [""] * len(codes.coordinates))
    for index, name in enumerate(dict.fromkeys(sorted(names))):
        x, y = codes.coordinates[names == name].T
        look = {"color": colours[index % len(colours)], "marker": MARKERS[index % len(MARKERS)]}
        axes.scatter(x, y, s=22, edgecolors=INK if "white" in colours else "white", linewidths=0.6, label=name, **look)
    if len(codes.labels):
        _legend(axes)


def _legend(axes: Axes) -> None:
    """Name what is drawn below the map, where it hides nothing."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4, handletextpad=0.4, columnspacing=1.4)


def _disc() -> dict[str, Any]:
    return {"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": INK}


def _axis_names(points: Grid) -> tuple[str, str]:
    if len(points.plane.origin) == 2:
        return "first latent coordinate (latent units)", "second latent coordinate (latent units)"
    first, second = (f"{100 * share:.0f} % of the codes' variance" for share in points.plane.explained.tolist())
    return f"first principal axis (latent units; {first})", f"second principal axis (latent units; {second})"


def _array(values: Any) -> NDArray[Any]:
    """Take a tensor from wherever it is, or anything else that holds numbers."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
