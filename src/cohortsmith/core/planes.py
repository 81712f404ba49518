"""Flat sheets through the latent space, and grids of points on them: where maps of the geometry are drawn."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

SIDE = 200  # points along each side of a map (RHVAE 2020, section 4.3.1)
MARGIN = 0.2  # of the codes' extent, left free around them


class Plane(NamedTuple):
    """The points origin + x axes_1 + y axes_2: origin (d,), axes (2, d) orthonormal.

    explained: (2,) the share of the codes' variance along each axis.
    """

    origin: Tensor
    axes: Tensor
    explained: Tensor


class Box(NamedTuple):
    """A rectangle of a plane, in its two coordinates: lower and upper corner (2,), latent units."""

    lower: Tensor
    upper: Tensor


class Grid(NamedTuple):
    """The points of a rectangle: horizontal (n,) and vertical (m,) coordinates, ascending, on a plane."""

    horizontal: Tensor
    vertical: Tensor
    plane: Plane


def principal_plane(codes: Tensor) -> Plane:
    """Give the plane through the mean of codes (N, d) along their first two principal axes.

    Two-dimensional codes keep their own coordinates. The largest component of each axis is positive.
    """
    variance, axes = torch.linalg.eigh((codes - codes.mean(0)).mT.cov())
    variance, axes = variance.flip(0).clamp(min=0), axes.flip(1).mT
    if codes.shape[1] == 2:
        return coordinate_plane(codes)
    axes, sizes = axes[:2], axes[:2].abs().argmax(dim=1, keepdim=True)
    return Plane(codes.mean(0), axes * axes.gather(1, sizes).sign(), variance[:2] / variance.sum())


def coordinate_plane(codes: Tensor) -> Plane:
    """Give the latent space (d = 2) of codes (N, 2) in its own coordinates."""
    variance = codes.var(dim=0)
    return Plane(torch.zeros_like(codes[0]), torch.eye(2).to(codes), variance / variance.sum())


def project(plane: Plane, z: Tensor) -> Tensor:
    """Give the coordinates on the plane of the feet of z: (..., d) -> (..., 2)."""
    return (z - plane.origin) @ plane.axes.mT


def lift(plane: Plane, coordinates: Tensor) -> Tensor:
    """Give the latent points at coordinates of the plane: (..., 2) -> (..., d)."""
    return plane.origin + coordinates @ plane.axes


def box_around(coordinates: Tensor, margin: float = MARGIN) -> Box:
    """Give the square around coordinates (N, 2), their larger extent plus a share of it on each side.

    A square, so that the cells of its grid are squares too: paths over oblong cells are longer.
    """
    lower, upper = coordinates.amin(0), coordinates.amax(0)
    reach = (0.5 + margin) * (upper - lower).max()
    centre = 0.5 * (lower + upper)
    return Box(centre - reach, centre + reach)


def grid(plane: Plane, box: Box, n: int = SIDE) -> Grid:
    """Put n x n points on a rectangle of the plane, borders included."""
    ends = zip(box.lower.tolist(), box.upper.tolist(), strict=True)
    like = plane.origin
    horizontal, vertical = (torch.linspace(*pair, n, dtype=like.dtype, device=like.device) for pair in ends)
    return Grid(horizontal, vertical, plane)


def grid_around(codes: Tensor, n: int = SIDE, margin: float = MARGIN) -> Grid:
    """Put n x n points on the principal plane of codes (N, d), around their projections."""
    plane = principal_plane(codes)
    return grid(plane, box_around(project(plane, codes), margin), n)


def grid_points(points: Grid) -> Tensor:
    """Give all the grid's points in the latent space, row by row: (m * n, d)."""
    vertical, horizontal = torch.meshgrid(points.vertical, points.horizontal, indexing="ij")
    return lift(points.plane, torch.stack([horizontal, vertical], dim=-1).flatten(0, 1))


def on_grid(function: Callable[[Tensor], Tensor], points: Grid, at_once: int = 65_536) -> Tensor:
    """Evaluate (B, d) -> (B,) on the grid: (m, n), the first row at the lowest vertical coordinate."""
    values = torch.cat([function(part) for part in torch.split(grid_points(points), at_once)])
    return values.reshape(len(points.vertical), len(points.horizontal))
