"""Clusters around members of the set itself, under any matrix of distances: k-medoids.

scikit-learn, which is installed, has no k-medoids.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.errors import ConfigurationError

AT_ONCE = 256  # candidates weighed up together


class Clusters(NamedTuple):
    """k clusters of N members: medoids (k,) their numbers, ascending; labels (N,) in 0 .. k - 1; cost.

    cost: the sum over the members of the distance to their medoid.
    """

    medoids: Tensor
    labels: Tensor
    cost: float


class Nearest(NamedTuple):
    """For each member (N,): which medoid is nearest, how far it is, and how far the second nearest is."""

    medoid: Tensor
    distance: Tensor
    second: Tensor


def k_medoids(distances: Tensor, k: int, generator: torch.Generator, n_restarts: int = 10) -> Clusters:
    """Partition N members by distances (N, N) around k of them: BUILD and SWAP (Kaufman & Rousseeuw 1990, PAM).

    Descends from BUILD's medoids and from n_restarts random draws; the lowest cost wins, the earliest where equal.
    Raises ConfigurationError unless 1 <= k <= N.
    """
    _refuse_count(k, len(distances))
    ends = (swap(distances, start) for start in _starts(distances, k, generator, n_restarts))
    return min((_clusters(distances, medoids) for medoids in ends), key=lambda clusters: clusters.cost)


def medoids_of_rows(points: Tensor, k: int) -> Tensor:
    """Choose k of points (N, d) that stand for all, by Euclidean distance: their numbers (k,), ascending.

    Thins the centroids of a metric where N is large (thesis 3.4.2), as far as N x N distances fit into memory. One
    descent from BUILD, nothing drawn; all of them where k >= N. Raises ConfigurationError where k < 1.
    """
    k = min(k, len(points))
    _refuse_count(k, len(points))
    distances = torch.cdist(points, points)
    return swap(distances, build(distances, k)).sort().values


def build(distances: Tensor, k: int) -> Tensor:
    """Choose k medoids (k,) one after the other, each the member that lowers the cost most (PAM's BUILD)."""
    chosen = [int(distances.sum(0).argmin())]
    nearest = distances[:, chosen[0]]
    for _ in range(k - 1):
        gain = (nearest.unsqueeze(1) - distances).clamp(min=0).sum(0)
        gain[chosen] = -1.0  # a member that is already a medoid gains nothing, and neither may any other
        chosen.append(int(gain.argmax()))
        nearest = torch.minimum(nearest, distances[:, chosen[-1]])
    return torch.tensor(chosen, device=distances.device)


def swap(distances: Tensor, medoids: Tensor) -> Tensor:
    """Exchange a medoid for another member as long as that lowers the cost (PAM's SWAP).

    Candidates are looked at in blocks, and the best exchange of a block is made at once (Schubert & Rousseeuw 2021,
    eager swapping); up to AT_ONCE members that is PAM's best exchange of all.
    """
    blocks = torch.split(torch.arange(len(distances), device=distances.device), AT_ONCE)
    idle, turn = 0, 0
    while idle < len(blocks):
        better = _exchanged(distances, medoids, blocks[turn % len(blocks)])
        if better is None:
            idle, turn = idle + 1, turn + 1
        else:
            idle, medoids = 0, better
    return medoids


def swap_changes(distances: Tensor, medoids: Tensor, candidates: Tensor) -> Tensor:
    """Give what the cost changes by if each medoid (k,) makes room for each candidate (C,): (k, C).

    All at once: a candidate's gain from members that keep their medoid is common to all the medoids, and only those
    that lose theirs are counted by medoid (Schubert & Rousseeuw 2019, FastPAM1).
    """
    nearest, to_candidate = nearest_medoids(distances, medoids), distances[:, candidates]
    kept = (to_candidate - nearest.distance.unsqueeze(1)).clamp(max=0)
    left = torch.minimum(to_candidate, nearest.second.unsqueeze(1)) - nearest.distance.unsqueeze(1)
    own = torch.nn.functional.one_hot(nearest.medoid, len(medoids)).to(distances.dtype)
    return kept.sum(0) + own.mT @ (left - kept)


def nearest_medoids(distances: Tensor, medoids: Tensor) -> Nearest:
    """Look up each member's nearest and second nearest medoid; with one medoid the second is infinitely far."""
    to_medoids = torch.nn.functional.pad(distances[:, medoids], (0, 1), value=torch.inf)
    near = to_medoids.topk(2, largest=False)
    return Nearest(near.indices[:, 0], near.values[:, 0], near.values[:, 1])


def _starts(distances: Tensor, k: int, generator: torch.Generator, n_restarts: int) -> Iterator[Tensor]:
    yield build(distances, k)
    for _ in range(n_restarts):
        yield torch.randperm(len(distances), generator=generator)[:k].to(distances.device)


def _clusters(distances: Tensor, medoids: Tensor) -> Clusters:
    medoids = medoids.sort().values
    nearest = nearest_medoids(distances, medoids)
    return Clusters(medoids, nearest.medoid, _cost(distances, medoids))


def _exchanged(distances: Tensor, medoids: Tensor, candidates: Tensor) -> Tensor | None:
    """Make the best exchange for one of the candidates; give None where even that does not lower the cost."""
    row, column = divmod(int(swap_changes(distances, medoids, candidates).argmin()), len(candidates))
    trial = medoids.clone()
    trial[row] = candidates[column]
    # By the costs themselves: a change within rounding could be made and unmade for ever.
    return trial if _cost(distances, trial) < _cost(distances, medoids) else None


def _cost(distances: Tensor, medoids: Tensor) -> float:
    return float(distances[:, medoids].amin(1).sum())


def _refuse_count(k: int, n: int) -> None:
    if not 1 <= k <= n:
        raise ConfigurationError(
            "k-medoids cannot make so many clusters",
            got=f"k = {k} for {n} members",
            expected=f"1 <= k <= {n}",
            remedy="ask for fewer clusters",
        )
