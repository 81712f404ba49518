"""Geodesics between pairs of latent points, many at once: the splines of least energy."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.curves import (
    Curves,
    Rule,
    energy,
    equal_arc_times,
    length,
    places_at_equal_length,
    quadrature,
    sample,
    spline_weights,
    straight,
    straight_lines,
)
from cohortsmith.core.geometry import Geometry
from cohortsmith.core.neighbour_graph import neighbour_graph
from cohortsmith.core.quasi_newton import minimise
from cohortsmith.core.shortest_paths import segment_lengths, shortest_route


class GeodesicSettings(NamedTuple):
    """How geodesics are sought.

    n_control: free points of each spline. nodes: Gauss-Legendre nodes per piece while minimising. tolerance: share
    of its energy that a curve may still be expected to lose. pairs_at_once: curves bent together, for memory's sake.
    """

    n_control: int = 12
    nodes: int = 4
    tolerance: float = 1e-6
    max_iterations: int = 200
    pairs_at_once: int = 256


CUTS = 16  # of a straight piece, between which a cost is taken as constant

DEFAULTS = GeodesicSettings()


class Geodesics(NamedTuple):
    """P curves of least energy, their Riemannian length and energy (P,), and whether each was solved (P,) bool."""

    curves: Curves
    length: Tensor
    energy: Tensor
    converged: Tensor


def geodesics(
    geometry: Geometry,
    start: Tensor,
    end: Tensor,
    settings: GeodesicSettings = DEFAULTS,
    landmarks: Tensor | None = None,
) -> Geodesics:
    """Find the shortest curves from start (P, d) to end (P, d) by the energy of a spline (Brownian prior 2020, B.1).

    Descent starts from the straight line, which is also what is given back where nothing shorter is found. In a void
    the metric is flat and nothing there tells the way to the data: with landmarks (N, d), say the codes, descent
    starts from the shortest path over them as well, and the shorter result is kept. For the curves of the geometric
    perspective, which keep to where sqrt det G is large, give `volume_potential(geometry)`.
    """
    pairs = zip(torch.split(start, settings.pairs_at_once), torch.split(end, settings.pairs_at_once), strict=True)
    with torch.no_grad():
        parts = [
            _shortest(geometry, _starting_curves(geometry, *pair, settings, landmarks), settings) for pair in pairs
        ]
    return _joined(parts)


def interpolate(
    geometry: Geometry,
    start: Tensor,
    end: Tensor,
    n: int,
    settings: GeodesicSettings = DEFAULTS,
    landmarks: Tensor | None = None,
) -> Tensor:
    """Give n points at equal Riemannian distances along the geodesic of each pair (P, d), ends included: (P, n, d)."""
    curves = geodesics(geometry, start, end, settings, landmarks).curves
    with torch.no_grad():
        return sample(curves, equal_arc_times(geometry, curves, n))[0]


def curve_over_landmarks(geometry: Geometry, start: Tensor, end: Tensor, n_control: int, landmarks: Tensor) -> Curves:
    """Give the spline (P pairs) along the shortest path from neighbour to neighbour among landmarks (N, d).

    Its points lie at equal Riemannian distances along that path.
    """
    # Each point once: the pairs often share their ends, and equal points would be each other's only neighbours.
    nodes, number = torch.unique(torch.cat([start, end, landmarks]), dim=0, return_inverse=True)
    graph = neighbour_graph(geometry, nodes)
    routes = shortest_route(graph, len(nodes), number[: len(start)], number[len(start) : 2 * len(start)])
    points = torch.cat([_spread(geometry, nodes[route], n_control + 2) for route in routes])
    return Curves(start, points[:, 1:-1], end)


def energy_and_gradient(geometry: Geometry, curves: Curves, rule: Rule) -> tuple[Tensor, Tensor]:
    """Give the energy (P,) and its exact gradient in the control points (P, K, d), in closed form.

    At a fixed velocity v, the gradient in z of v^T G v is minus that of q^T G^-1 q at the momentum q = G v.
    """
    weights = spline_weights(rule.times, curves.control.shape[1] + 2)
    position, velocity = sample(curves, rule.times)
    momentum = torch.einsum("bij,bj->bi", geometry.metric(position.flatten(0, 1)), velocity.flatten(0, 1))
    pull = geometry.kinetic_gradient(position.flatten(0, 1), momentum).reshape(velocity.shape)
    momentum, share = momentum.reshape(velocity.shape), rule.weights.unsqueeze(-1)
    gradient = 2 * (weights.velocity.mT @ (share * momentum) - weights.position.mT @ (share * pull))
    return (share * velocity * momentum).sum((1, 2)), gradient[:, 1:-1]


def _starting_curves(
    geometry: Geometry, start: Tensor, end: Tensor, settings: GeodesicSettings, landmarks: Tensor | None
) -> list[Curves]:
    lines = straight_lines(start, end, settings.n_control)
    if landmarks is None:
        return [lines]
    return [lines, curve_over_landmarks(geometry, start, end, settings.n_control, landmarks)]


def _shortest(geometry: Geometry, starting: list[Curves], settings: GeodesicSettings) -> Geodesics:
    best = _measured(geometry, starting[0], torch.zeros(len(starting[0].start), dtype=torch.bool))
    for curves in starting:
        best = _shorter(descend(geometry, curves, settings), best)
    return best


def descend(geometry: Geometry, curves: Curves, settings: GeodesicSettings) -> Geodesics:
    """Lower the energy of curves from where they are as far as it goes, their ends held; to be called without grad."""
    shape, rule = curves.control.shape, quadrature(curves, settings.nodes)

    def objective(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        trial = Curves(curves.start[rows], points.reshape(-1, *shape[1:]), curves.end[rows])
        value, gradient = energy_and_gradient(geometry, trial, rule)
        return value, gradient.flatten(1)

    guess = _inverse_stiffness(geometry, curves, rule)
    found = minimise(objective, curves.control.flatten(1), guess, settings.tolerance, settings.max_iterations)
    return _measured(geometry, curves._replace(control=found.point.reshape(shape)), found.converged)


def _inverse_stiffness(geometry: Geometry, curves: Curves, rule: Rule) -> Tensor:
    """Give the inverse Hessian of the energy were the metric constant in space: (P, K d, K d)."""
    slopes = spline_weights(rule.times, curves.control.shape[1] + 2).velocity[:, 1:-1]
    n_pairs, n_control, d = curves.control.shape
    metric = geometry.metric(sample(curves, rule.times)[0].flatten(0, 1)).reshape(n_pairs, -1, d, d)
    products = (slopes.unsqueeze(2) * slopes.unsqueeze(1) * (2 * rule.weights)[:, None, None]).flatten(1)
    stiffness = torch.einsum("nk,pnab->pkab", products, metric).reshape(n_pairs, n_control, n_control, d, d)
    return torch.cholesky_inverse(torch.linalg.cholesky(stiffness.transpose(2, 3).reshape(n_pairs, n_control * d, -1)))


def _measured(geometry: Geometry, curves: Curves, converged: Tensor) -> Geodesics:
    return Geodesics(curves, length(geometry, curves), energy(geometry, curves), converged.to(curves.start.device))


def _shorter(first: Geodesics, second: Geodesics) -> Geodesics:
    wins = first.length <= second.length  # false where not a number
    control = torch.where(wins[:, None, None], first.curves.control, second.curves.control)
    rest = (torch.where(wins, mine, other) for mine, other in zip(first[1:], second[1:], strict=True))
    return Geodesics(first.curves._replace(control=control), *rest)


def _spread(geometry: Geometry, corners: Tensor, n: int) -> Tensor:
    """Put n points at equal Riemannian distances on the line of straight pieces between corners (M, d): (1, n, d)."""
    if len(corners) == 1:
        return corners.expand(1, n, -1)
    # Finely, as a piece that crosses a void is mostly void: its ends cost little.
    fine = straight(corners[:-1], corners[1:], CUTS + 1)[:, :-1].flatten(0, 1)
    line = torch.cat([fine, corners[-1:]])
    places = places_at_equal_length(segment_lengths(geometry, line[:-1], line[1:], nodes=1).unsqueeze(0), n)
    piece = places.floor().long().clamp(max=len(line) - 2)
    return line[piece] + (places - piece).unsqueeze(-1) * (line[piece + 1] - line[piece])


def _joined(parts: list[Geodesics]) -> Geodesics:
    curves = Curves(*(torch.cat(values) for values in zip(*(part.curves for part in parts), strict=True)))
    rest = (torch.cat(values) for values in zip(*(part[1:] for part in parts), strict=True))
    return Geodesics(curves, *rest)
