"""Distances from a point to everywhere on a plane, by shortest paths over a grid (RHVAE 2020, section 4.3.1)."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry
from cohortsmith.core.neighbour_graph import neighbour_graph
from cohortsmith.core.planes import Grid, grid_points, lift, project
from cohortsmith.core.shortest_paths import Edges, measured, shortest_distances
from cohortsmith.errors import ConfigurationError

# Steps to half the neighbours, as (columns, rows); the other half are their opposites. Where the metric is a multiple
# of the identity, a path along the steps is too long by at most 1 / cos(half the widest angle between two steps) - 1:
# 8.2 %, 2.8 % and 1.3 %. A metric that is anisotropic in space widens the angles, and the error.
_KING = ((1, 0), (0, 1), (1, 1), (1, -1))
_KNIGHT = ((2, 1), (1, 2), (2, -1), (1, -2))
_FAR = ((3, 1), (1, 3), (3, -1), (1, -3), (3, 2), (2, 3), (3, -2), (2, -3))
STEPS = {8: _KING, 16: (*_KING, *_KNIGHT), 32: (*_KING, *_KNIGHT, *_FAR)}
ATTACHED = 4  # grid points per side, around a point that is not on the grid, to which it is joined


class GridGraph(NamedTuple):
    """The grid's m * n points, row by row, then the added points: edges between them, and how many there are."""

    edges: Edges
    n_nodes: int
    shape: tuple[int, int]


def distance_map(geometry: Geometry, sources: Tensor, points: Grid, neighbours: int = 16) -> Tensor:
    """Give the distance from each source (S, d) to each point of the grid: (S, m, n).

    On a plane in more than two dimensions paths are kept to the plane, and start from the source's foot on it: an
    upper bound of the distance in the latent space.
    Raises ConfigurationError for a source outside the grid.
    """
    graph = grid_graph(geometry, points, sources, neighbours)
    rows, columns = graph.shape
    own = torch.arange(rows * columns, graph.n_nodes, device=sources.device)
    return shortest_distances(graph.edges, graph.n_nodes, own)[:, : rows * columns].reshape(-1, rows, columns)


def grid_distances(geometry: Geometry, codes: Tensor, points: Grid, neighbours: int = 16) -> Tensor:
    """Give the distances between codes (N, 2) over the grid: (N, N).

    Raises ConfigurationError for a code outside the grid.
    """
    graph = grid_graph(geometry, points, codes, neighbours)
    own = torch.arange(graph.n_nodes - len(codes), graph.n_nodes, device=codes.device)
    distances = shortest_distances(graph.edges, graph.n_nodes, own)[:, own]
    return torch.minimum(distances, distances.mT)  # equal but for the order of the sums


def grid_graph(geometry: Geometry, points: Grid, added: Tensor, neighbours: int = 16) -> GridGraph:
    """Join each grid point to 8, 16 or 32 around it, and each added point (N, d) to the grid and to its like.

    An edge is as long as the metric at its midpoint says.
    """
    if neighbours not in STEPS:
        raise ConfigurationError(
            "unknown neighbourhood", where="grid_graph", got=str(neighbours), expected="one of 8, 16, 32"
        )
    rows, columns = len(points.vertical), len(points.horizontal)
    coordinates = project(points.plane, added)
    _refuse_outside(coordinates, points)
    nodes = torch.cat([grid_points(points), lift(points.plane, coordinates)])
    pairs = torch.cat([_steps(rows, columns, neighbours), _attachments(coordinates, points)]).to(added.device)
    between = measured(geometry, nodes, pairs, nodes=1)
    return GridGraph(_joined(between, _among(geometry, nodes, points)), len(nodes), (rows, columns))


def _steps(rows: int, columns: int, neighbours: int) -> Tensor:
    number = torch.arange(rows * columns).reshape(rows, columns)
    return torch.cat([_shifted(number, right, up) for right, up in STEPS[neighbours]])


def _shifted(number: Tensor, right: int, up: int) -> Tensor:
    """Pair each grid point with the one so many columns to the right and rows up, where there is one."""
    rows, columns = number.shape
    first = number[max(0, -up) : rows - max(0, up), : columns - right]
    second = number[max(0, up) : rows + min(0, up), right:]
    return torch.stack([first.flatten(), second.flatten()], dim=1)


def _attachments(coordinates: Tensor, points: Grid) -> Tensor:
    """Pair each added point with the block of grid points around it."""
    horizontal = _around(coordinates[:, 0], points.horizontal)
    vertical = _around(coordinates[:, 1], points.vertical)
    block = (vertical.unsqueeze(2) * len(points.horizontal) + horizontal.unsqueeze(1)).flatten(1)
    added = len(points.vertical) * len(points.horizontal) + torch.arange(len(coordinates), device=block.device)
    return torch.stack([added.unsqueeze(1).expand_as(block), block], dim=-1).flatten(0, 1).cpu()


def _around(values: Tensor, axis: Tensor) -> Tensor:
    """Give the numbers of the grid lines nearest to values (N,) on both sides: (N, ATTACHED)."""
    lowest = torch.searchsorted(axis, values.contiguous()) - ATTACHED // 2
    lowest = lowest.clamp(0, max(0, len(axis) - ATTACHED))
    return lowest.unsqueeze(1) + torch.arange(min(ATTACHED, len(axis)), device=values.device)


def _among(geometry: Geometry, nodes: Tensor, points: Grid) -> Edges:
    """Join added points of nearly the same place directly: the way over the grid would be a detour."""
    n_grid = len(points.vertical) * len(points.horizontal)
    reach = ATTACHED * float(points.horizontal[1] - points.horizontal[0])
    near = neighbour_graph(geometry, nodes[n_grid:], reach=reach)
    return Edges(near.first + n_grid, near.second + n_grid, near.length)


def _joined(first: Edges, second: Edges) -> Edges:
    return Edges(*(torch.cat(values) for values in zip(first, second, strict=True)))


def _refuse_outside(coordinates: Tensor, points: Grid) -> None:
    lower = torch.stack([points.horizontal[0], points.vertical[0]])
    upper = torch.stack([points.horizontal[-1], points.vertical[-1]])
    outside = ((coordinates < lower) | (coordinates > upper) | coordinates.isnan()).any(dim=1)
    if outside.any():
        worst = coordinates[outside][0].tolist()
        raise ConfigurationError(
            "a point lies outside the grid on which distances are sought",
            where=f"{int(outside.sum())} of {len(coordinates)} points",
            got=f"coordinates {worst}",
            expected=f"between {lower.tolist()} and {upper.tolist()}",
            remedy="make the grid around all the points, with a margin (grid_around)",
        )
