"""Pictures of one generator's latent space: its volume, and the ways between two of its codes."""

import torch
from torch import Tensor

from cohortsmith.core.curves import straight
from cohortsmith.core.geodesics import interpolate
from cohortsmith.core.geometry import Geometry
from cohortsmith.core.metric import learned_geometry
from cohortsmith.core.planes import grid_around, on_grid, project
from cohortsmith.core.posterior_metric import posterior_field, posterior_geometry
from cohortsmith.core.volume_potential import volume_potential
from cohortsmith.models.fitted import FittedVAE, decode
from cohortsmith.reporting.latent_maps import Codes, draw_interpolations, draw_log_volume, draw_ways, latent_map

SHOWN_POINTS = 100  # along the curve on the map
SHOWN_IMAGES = 9


def draw_latent_space(fitted: FittedVAE, label: str) -> dict[str, bytes]:
    """Draw the latent space of one generator as PNG files by name; nothing below two dimensions or four codes.

    The geometry is the learned one of an RHVAE; else that of the posteriors, where curves keep to its large volume.
    Codes are unnamed points.
    """
    codes = fitted.codes.mean.double()
    if codes.shape[1] < 2 or len(codes) < 4:
        return {}
    geometry = _geometry_of(fitted)
    first, second = _farthest_pair(codes)
    crossed = volume_potential(geometry) if fitted.field is None else geometry
    curve = interpolate(crossed, first, second, SHOWN_POINTS, landmarks=codes)[0]
    line = straight(first, second, SHOWN_POINTS)[0]
    grid = grid_around(codes, 120)
    volume = latent_map(grid, on_grid(geometry.log_volume, grid))
    places = Codes(project(grid.plane, codes))
    ways = draw_ways(volume, project(grid.plane, curve), project(grid.plane, line), places)
    along = [_images(fitted, way) for way in (curve, line)]
    return {
        f"latent_volume_{label}.png": draw_log_volume(volume, places),
        f"latent_ways_{label}.png": ways,
        f"latent_interpolation_{label}.png": draw_interpolations(*along),
    }


def _geometry_of(fitted: FittedVAE) -> Geometry:
    if fitted.field is None:
        return posterior_geometry(posterior_field(*(part.double() for part in fitted.codes)))
    doubled = fitted.field._replace(centroids=fitted.field.centroids.double(), factors=fitted.field.factors.double())
    return learned_geometry(doubled)


def _farthest_pair(codes: Tensor) -> tuple[Tensor, Tensor]:  # each (1, d)
    distances = torch.cdist(codes, codes)
    first, second = divmod(int(distances.argmax()), len(codes))
    return codes[first : first + 1], codes[second : second + 1]


def _images(fitted: FittedVAE, way: Tensor) -> Tensor:
    rows = torch.linspace(0, len(way) - 1, SHOWN_IMAGES).round().long()
    return decode(fitted, way[rows].float())
