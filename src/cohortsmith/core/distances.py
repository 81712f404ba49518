"""The matrix of Riemannian distances between latent codes."""

import torch
from torch import Tensor

from cohortsmith.core.distance_map import grid_distances
from cohortsmith.core.geodesics import DEFAULTS, GeodesicSettings, geodesics
from cohortsmith.core.geometry import Geometry
from cohortsmith.core.neighbour_graph import NEIGHBOURS, neighbour_graph
from cohortsmith.core.planes import grid_around
from cohortsmith.core.shortest_paths import shortest_distances


def pairwise_distances(geometry: Geometry, codes: Tensor) -> Tensor:
    """Give the distances between codes (N, d): (N, N), symmetric, zero on the diagonal, triangle inequality kept.

    In two dimensions by shortest paths over a grid around the codes (RHVAE 2020, section 4.5), in more over the graph
    of neighbouring codes. Both are lengths of curves that exist, hence upper bounds.
    """
    with torch.no_grad():
        if codes.shape[1] == 2:
            return grid_distances(geometry, codes, grid_around(codes))
        return graph_distances(geometry, codes)


def graph_distances(geometry: Geometry, codes: Tensor, n_neighbours: int = NEIGHBOURS) -> Tensor:
    """Give the distances between codes (N, d) over straight steps from neighbour to neighbour: (N, N)."""
    edges = neighbour_graph(geometry, codes, n_neighbours)
    distances = shortest_distances(edges, len(codes), torch.arange(len(codes), device=codes.device))
    return torch.minimum(distances, distances.mT)  # equal but for the order of the sums


def refine(
    geometry: Geometry, codes: Tensor, distances: Tensor, pairs: Tensor, settings: GeodesicSettings = DEFAULTS
) -> Tensor:
    """Lower the distances (N, N) of codes (N, d) by bending curves between chosen pairs (R, 2): (N, N).

    No distance rises. What was found shortens the way between other pairs too, so that the triangle inequality
    still holds (Floyd's algorithm, 1962).
    """
    first, second = pairs.unbind(1)
    found = geodesics(geometry, codes[first], codes[second], settings, landmarks=codes).length
    shorter = distances.clone()
    for here, there in ((first, second), (second, first)):
        shorter[here, there] = torch.minimum(shorter[here, there], found)
    return _closed(shorter, torch.unique(pairs))


def _closed(distances: Tensor, through: Tensor) -> Tensor:
    """Allow a detour through each of these codes in turn; elsewhere nothing has become shorter."""
    for code in through.tolist():
        distances = torch.minimum(distances, distances[:, code, None] + distances[None, code])
    return torch.minimum(distances, distances.mT)  # equal but for the order of the sums
