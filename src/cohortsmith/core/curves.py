"""Curves between pairs of latent points, many at once: natural cubic splines with fixed ends.

A geodesic as a cubic spline is the Brownian-prior paper's choice (2020, appendix B); length and energy are RHVAE
2020, eq. 15 and the equation after it.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry, inner_product, speed

NODES = 8  # of Gauss and Legendre per piece: exact for polynomials of degree 15, the cubic's speed is smooth
CELLS = 32  # per piece, in which arc length is tabulated: its inverse came out right to 2e-5 of a piece


class Curves(NamedTuple):
    """P curves c: [0, 1] -> R^d, each the natural cubic spline through its points at equally spaced times.

    start, end: (P, d), at times 0 and 1. control: (P, K, d), at times 1 / (K + 1), ..., K / (K + 1).
    """

    start: Tensor
    control: Tensor
    end: Tensor


class SplineWeights(NamedTuple):
    """What each of the K + 2 points contributes at given times: to c and to c' = dc/dt, both (..., K + 2)."""

    position: Tensor
    velocity: Tensor


class Rule(NamedTuple):
    """Quadrature on [0, 1]: times and weights (n,), the weights adding up to 1."""

    times: Tensor
    weights: Tensor


def straight_lines(start: Tensor, end: Tensor, n_control: int) -> Curves:
    """Join start (P, d) and end (P, d) by straight lines at constant Euclidean speed."""
    return Curves(start, straight(start, end, n_control + 2)[:, 1:-1], end)


def straight(start: Tensor, end: Tensor, n: int) -> Tensor:
    """Give n equally spaced points on the straight line of each pair (P, d), ends included: (P, n, d)."""
    times = torch.linspace(0, 1, n, dtype=start.dtype, device=start.device).unsqueeze(-1)
    return start.unsqueeze(1) + times * (end - start).unsqueeze(1)


def knots(curves: Curves) -> Tensor:
    """Give all the points through which the splines go, ends included: (P, K + 2, d)."""
    return torch.cat([curves.start.unsqueeze(1), curves.control, curves.end.unsqueeze(1)], dim=1)


def sample(curves: Curves, times: Tensor) -> tuple[Tensor, Tensor]:
    """Give c and c' at times in [0, 1], common (n,) or each curve's own (P, n): (P, n, d), (P, n, d)."""
    points = knots(curves)
    weights = spline_weights(times, points.shape[1])
    return weights.position @ points, weights.velocity @ points


def length(geometry: Geometry, curves: Curves, nodes: int = NODES) -> Tensor:
    """Give int_0^1 sqrt(c'^T G(c) c') dt (RHVAE 2020, eq. 15): (P,)."""
    rule = quadrature(curves, nodes)
    position, velocity = sample(curves, rule.times)
    return _along(speed(geometry, position.flatten(0, 1), velocity.flatten(0, 1)), rule)


def energy(geometry: Geometry, curves: Curves, nodes: int = NODES) -> Tensor:
    """Give int_0^1 c'^T G(c) c' dt (RHVAE 2020, section 4.3.2): (P,); never below the squared length."""
    rule = quadrature(curves, nodes)
    position, velocity = (values.flatten(0, 1) for values in sample(curves, rule.times))
    return _along(inner_product(geometry, position, velocity, velocity), rule)


def equal_arc_times(geometry: Geometry, curves: Curves, n: int) -> Tensor:
    """Give the times (P, n) that cut each curve into n - 1 pieces of equal Riemannian length, 0 and 1 included."""
    borders = torch.linspace(
        0, 1, CELLS * (curves.control.shape[1] + 1) + 1, dtype=curves.start.dtype, device=curves.start.device
    )
    position, velocity = sample(curves, 0.5 * (borders[1:] + borders[:-1]))
    pieces = speed(geometry, position.flatten(0, 1), velocity.flatten(0, 1)).reshape(len(curves.start), -1)
    return places_at_equal_length(pieces, n) / pieces.shape[1]


def places_at_equal_length(pieces: Tensor, n: int) -> Tensor:
    """Say where n points at equal spacing lie along lines made of pieces of given length (P, M), ends included.

    A place (P, n) in [0, M] is a piece's number plus the fraction of that piece already behind.
    """
    behind = torch.nn.functional.pad(pieces.cumsum(1), (1, 0))
    wanted = torch.linspace(0, 1, n, dtype=pieces.dtype, device=pieces.device) * behind[:, -1:]
    piece = torch.searchsorted(behind, wanted, right=True).sub(1).clamp(0, pieces.shape[1] - 1)
    size = pieces.gather(1, piece).clamp(min=torch.finfo(pieces.dtype).tiny)
    return piece + ((wanted - behind.gather(1, piece)) / size).clamp(0, 1)


def quadrature(curves: Curves, nodes: int) -> Rule:
    """Put a Gauss-Legendre rule of so many nodes on each piece of the splines."""
    return composite_rule(curves.control.shape[1] + 1, nodes, curves.start)


def composite_rule(pieces: int, nodes: int, like: Tensor) -> Rule:
    """Cut [0, 1] into equal pieces with a Gauss-Legendre rule of so many nodes on each; type and device of `like`."""
    abscissae, weights = np.polynomial.legendre.leggauss(nodes)
    times = (np.arange(pieces)[:, None] + 0.5 * (1 + abscissae)) / pieces
    values = (times.ravel(), np.tile(0.5 * weights / pieces, pieces))
    return Rule(*(torch.as_tensor(value, dtype=like.dtype, device=like.device) for value in values))


def spline_weights(times: Tensor, n_knots: int) -> SplineWeights:
    """Give the natural cubic spline's weights at times (...) in [0, 1], knots at equally spaced times.

    On a piece of length h with u in [0, 1] (Press et al., Numerical Recipes, section 3.3):
    c = (1 - u) y_j + u y_{j+1} + h^2 / 6 (((1 - u)^3 - (1 - u)) y''_j + (u^3 - u) y''_{j+1}).
    """
    pieces = n_knots - 1
    piece = (times * pieces).floor().clamp(0, pieces - 1).long()
    u = (times * pieces - piece).unsqueeze(-1)
    near, far = (torch.nn.functional.one_hot(index, n_knots).to(times.dtype) for index in (piece, piece + 1))
    bend = _second_derivatives(n_knots, times)
    position = (1 - u) * near + u * far + (((1 - u) ** 3 - (1 - u)) * near + (u**3 - u) * far) @ bend / (6 * pieces**2)
    velocity = pieces * (far - near) + ((1 - 3 * (1 - u) ** 2) * near + (3 * u**2 - 1) * far) @ bend / (6 * pieces)
    return SplineWeights(position, velocity)


def _second_derivatives(n_knots: int, like: Tensor) -> Tensor:
    """Give the matrix from the values at the knots to the spline's second derivatives there, zero at both ends."""
    differences = torch.zeros(n_knots, n_knots, dtype=like.dtype, device=like.device)
    inner = torch.arange(1, n_knots - 1, device=like.device)
    for shift, value in ((-1, 1.0), (0, -2.0), (1, 1.0)):
        differences[inner, inner + shift] = value
    identity = torch.eye(n_knots, dtype=like.dtype, device=like.device)
    # y''_{j-1} + 4 y''_j + y''_{j+1} = 6 / h^2 (y_{j-1} - 2 y_j + y_{j+1}): the same differences plus six times y''_j.
    solved = torch.linalg.solve((differences + 6 * identity)[1:-1, 1:-1], 6 * (n_knots - 1) ** 2 * differences[1:-1])
    return torch.nn.functional.pad(solved, (0, 0, 1, 1))


def _along(values: Tensor, rule: Rule) -> Tensor:
    return values.reshape(-1, len(rule.weights)) @ rule.weights
