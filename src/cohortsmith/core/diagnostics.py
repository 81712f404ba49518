"""What the chains did: how far the draws may be trusted."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohortsmith.core.chains import Chains
from cohortsmith.core.support import nearest_distance


class Mixing(NamedTuple):
    """The worst coordinate's rank-normalised split R-hat and bulk effective sample size (Vehtari et al. 2021)."""

    r_hat: float
    effective_sample_size: float


class Placement(NamedTuple):
    """Where draws lie among the centroids: mean and largest nearest-centroid distance (latent units), void share."""

    nearest_centroid_mean: float
    nearest_centroid_max: float
    void_share: float


class Diagnostics(NamedTuple):
    """What a run is judged by: means over its steps of acceptance and energy error, its mixing.

    step_size: as frozen after the warm-up. left_support: share of the chains that were ever outside, to be 0.
    """

    acceptance: float
    energy_error: float
    step_size: float
    r_hat: float
    effective_sample_size: float
    left_support: float


def diagnose(chains: Chains) -> Diagnostics:
    """Judge a run that kept at least 4 positions."""
    return Diagnostics(
        acceptance=chains.acceptance.mean().item(),
        energy_error=chains.energy_error.mean().item(),
        step_size=chains.step_size,
        **mixing(chains.trajectory)._asdict(),
        left_support=1 - chains.always_inside.double().mean().item(),
    )


def mixing(trajectory: Tensor) -> Mixing:
    """Compare C chains of S steps: (S, C, d), S >= 4.

    One chain per draw is meant to stay near where it started, so R-hat says how local the draws are.
    """
    import arviz  # noqa: PLC0415  heavy, and only wanted after a run of chains

    chains = trajectory.transpose(0, 1).double().cpu().numpy()
    coordinates = [chains[:, :, axis] for axis in range(chains.shape[2])]
    r_hats = [float(arviz.rhat(values)) for values in coordinates]
    sizes = [float(arviz.ess(values)) for values in coordinates]
    return Mixing(max(r_hats), min(sizes))


def placement(draws: Tensor, centroids: Tensor, void_beyond: float) -> Placement:
    """Locate draws (n, d) among centroids (N, d); beyond `void_beyond` from the nearest one lies the void."""
    nearest = nearest_distance(draws, centroids)
    void = (nearest > void_beyond).to(nearest.dtype)
    return Placement(nearest.mean().item(), nearest.max().item(), torch.mean(void).item())
