"""How far a metric is from measuring all directions alike."""

import torch
from torch import Tensor

from cohortsmith.core.geometry import Geometry


def anisotropy(geometry: Geometry, z: Tensor) -> Tensor:
    """Give (l_max - l_min) / (l_max + l_min) of the eigenvalues of G(z): (B, d) -> (B,) (RHVAE 2020, section 4.3.1).

    From 0, where all directions cost the same, to 1, where one costs infinitely more than another.
    """
    eigenvalues = torch.linalg.eigvalsh(geometry.metric(z))
    smallest, largest = eigenvalues[:, 0].clamp(min=0), eigenvalues[:, -1]
    share: Tensor = (largest - smallest) / (largest + smallest)
    return share
