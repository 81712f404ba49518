"""The laws that a geometry asks to be sampled: as much probability as there is volume, or as there is little."""

from functools import partial
from typing import NamedTuple

from torch import Tensor

from cohortsmith.core.geometry import Geometry
from cohortsmith.core.hmc import LogDensity, Membership, Score
from cohortsmith.core.support import Support, contains


class Target(NamedTuple):
    """A density known up to a constant, with its gradient, restricted to a compact set.

    score: the gradient alone, where that is cheaper.
    """

    log_density: LogDensity
    inside: Membership
    score: Score | None = None


def inverse_volume_density(geometry: Geometry, support: Support) -> Target:
    """Give 1_S sqrt det G^-1, for metrics that are small where the data are (thesis eq. 1.8, RHVAE)."""

    def log_density(z: Tensor) -> tuple[Tensor, Tensor]:
        volume, gradient = geometry.log_volume_and_gradient(z)
        return -volume, -gradient

    gradient = geometry.volume_gradient
    score = None if gradient is None else lambda z: -gradient(z)
    return Target(log_density, partial(contains, support), score)


def volume_density(geometry: Geometry, support: Support) -> Target:
    """Give 1_S sqrt det G, the Riemannian uniform law (geometric perspective 2022, section 4.5)."""
    return Target(geometry.log_volume_and_gradient, partial(contains, support), geometry.volume_gradient)
