"""Shortest paths between latent points along edges whose lengths are Riemannian."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cohortsmith.core.curves import composite_rule
from cohortsmith.core.geometry import Geometry, speed

POINTS_AT_ONCE = 65_536  # at which a metric is evaluated: with 200 centroids in float64, 100 MB of kernel values


class Edges(NamedTuple):
    """E undirected edges, each pair at most once: first, second (E,) node numbers, first < second, and length (E,)."""

    first: Tensor
    second: Tensor
    length: Tensor


def segment_lengths(geometry: Geometry, start: Tensor, end: Tensor, nodes: int) -> Tensor:
    """Give the Riemannian lengths of straight segments (E, d) -> (E, d): (E,), by so many Gauss-Legendre nodes.

    One node is the midpoint rule.
    """
    at_once = max(1, POINTS_AT_ONCE // nodes)
    pairs = zip(torch.split(start, at_once), torch.split(end, at_once), strict=True)
    return torch.cat([_segment_lengths(geometry, first, second, nodes) for first, second in pairs])


def _segment_lengths(geometry: Geometry, start: Tensor, end: Tensor, nodes: int) -> Tensor:
    rule = composite_rule(1, nodes, start)
    velocity = (end - start).unsqueeze(1).expand(-1, nodes, -1)
    position = start.unsqueeze(1) + rule.times.unsqueeze(-1) * velocity
    return speed(geometry, position.flatten(0, 1), velocity.flatten(0, 1)).reshape(-1, nodes) @ rule.weights


def measured(geometry: Geometry, points: Tensor, pairs: Tensor, nodes: int) -> Edges:
    """Make straight edges of node pairs (E, 2), in any order and any number of times, between points (N, d)."""
    first, second = _distinct(pairs, len(points)).unbind(1)
    return Edges(first, second, segment_lengths(geometry, points[first], points[second], nodes))


def _distinct(pairs: Tensor, n_nodes: int) -> Tensor:
    ordered = pairs.sort(dim=1).values
    ordered = ordered[ordered[:, 0] < ordered[:, 1]]
    numbers = torch.unique(ordered[:, 0] * n_nodes + ordered[:, 1])
    return torch.stack([numbers // n_nodes, numbers % n_nodes], dim=1)


def shortest_distances(edges: Edges, n_nodes: int, sources: Tensor) -> Tensor:
    """Give the length of the shortest path from each source (S,) to every node: (S, n_nodes), inf where none leads.

    Dijkstra's algorithm (1959), as RHVAE 2020, section 4.3.1.
    """
    distances, _ = _dijkstra(edges, n_nodes, sources, predecessors=False)
    return torch.as_tensor(distances, dtype=edges.length.dtype, device=edges.length.device)


def shortest_route(edges: Edges, n_nodes: int, sources: Tensor, targets: Tensor) -> list[Tensor]:
    """Give for each pair of sources (P,) and targets (P,) the nodes of the shortest path, both ends included."""
    starts, rows = torch.unique(sources, return_inverse=True)
    _, predecessors = _dijkstra(edges, n_nodes, starts, predecessors=True)
    found = (_walk_back(predecessors[row], int(end)) for row, end in zip(rows.tolist(), targets.tolist(), strict=True))
    return [torch.tensor(route, device=sources.device) for route in found]


def _walk_back(predecessors: NDArray[Any], target: int) -> list[int]:
    route = [target]
    while (before := int(predecessors[route[-1]])) >= 0:
        route.append(before)
    return route[::-1]


def _dijkstra(edges: Edges, n_nodes: int, sources: Tensor, *, predecessors: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    from scipy.sparse import csr_array  # noqa: PLC0415  only wanted where a graph is
    from scipy.sparse.csgraph import dijkstra  # noqa: PLC0415

    first, second, length = (values.detach().cpu().numpy() for values in edges)
    graph = csr_array((length.astype(np.float64), (first, second)), shape=(n_nodes, n_nodes))
    found = dijkstra(graph, directed=False, indices=sources.cpu().numpy(), return_predecessors=predecessors)
    return found if predecessors else (found, np.empty(0))
