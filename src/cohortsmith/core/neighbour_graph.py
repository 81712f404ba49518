"""The graph of near neighbours among latent codes: the roads along which distances in any dimension are sought."""

import math

import numpy as np
import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry
from cohortsmith.core.shortest_paths import Edges, measured

NEIGHBOURS = 10
# Of the quadrature along an edge. Few of them miss the high, narrow walls of a void: with 8, a path across one came
# out 9 % too short (T = 0.3, lambda = 1e-4, edges of several T); with 32, right to 1e-4.
NODES = 32


def neighbour_graph(
    geometry: Geometry, points: Tensor, n_neighbours: int = NEIGHBOURS, reach: float = math.inf
) -> Edges:
    """Join each point (N, d) to its nearest neighbours, Euclidean, by straight edges of Riemannian length.

    The minimum spanning tree is always part of it, so that a path leads from each point to every other one; but no
    edge is longer than `reach`, in latent units.
    """
    distances = torch.cdist(points, points)
    pairs = torch.cat([_nearest(distances, n_neighbours), _tree(distances)])
    return measured(geometry, points, pairs[distances[pairs[:, 0], pairs[:, 1]] <= reach], NODES)


def _nearest(distances: Tensor, n_neighbours: int) -> Tensor:
    n = len(distances)
    found = distances.clone().fill_diagonal_(torch.inf).topk(min(n_neighbours, n - 1), largest=False).indices
    every = torch.arange(n, device=distances.device).unsqueeze(1).expand_as(found)
    return torch.stack([every, found], dim=-1).flatten(0, 1)


def _tree(distances: Tensor) -> Tensor:
    from scipy.sparse.csgraph import minimum_spanning_tree  # noqa: PLC0415  only wanted where a graph is

    # A zero is no edge to scipy, yet two codes may be equal; a constant more everywhere leaves the tree as it is.
    raised = distances.detach().cpu().numpy().astype(np.float64) + 1
    np.fill_diagonal(raised, 0)
    pairs = np.argwhere(minimum_spanning_tree(raised).toarray() > 0)
    return torch.as_tensor(pairs, device=distances.device)
