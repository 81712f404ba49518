"""The bounds that an R-VAE is trained on: an autoencoder's first, then that of Brownian prior and posterior."""

import torch
from torch import Tensor

from cohortsmith.core.brownian import brownian_motion
from cohortsmith.core.curves import Curves, energy, straight_lines
from cohortsmith.core.geodesics import GeodesicSettings, descend
from cohortsmith.core.geometry import Geometry
from cohortsmith.models.objective import Bound, Noise
from cohortsmith.models.r_vae import RVAE
from cohortsmith.models.vae import VAE

STRAIGHT_ENOUGH = 1e-3  # share of a curve's energy not worth another step: the divergence is far noisier


def autoencoder_bound(model: RVAE, images: Tensor) -> Bound:
    """Give log p(x | mu(x)) of images (B, D) at one variance for all voxels: no draw, no divergence."""
    codes = model.encoder(model.standardise(images))[0]
    reconstruction = VAE.log_likelihood(model, codes, images)  # the precision network has no centres yet
    none = torch.zeros_like(reconstruction)
    return Bound(reconstruction, reconstruction, none, none, none)


def r_vae_bound(model: RVAE, images: Tensor, noise: Noise) -> Bound:
    """Bound log p(x) of images (B, D) under the Brownian prior (Kalatzis et al. 2020, eq. 3.4).

    shift: |z - mu_q|. With respect to the surface's volume, and as good as the heat kernel's expansion (eq. 3.3). No
    number where a walk or a curve reaches points around which the decoder is flat, as there is no metric there.
    """
    try:
        return _bound(model, images, noise)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return Bound(*(images.new_full((len(images),), torch.nan) for _ in Bound._fields))


def _bound(model: RVAE, images: Tensor, noise: Noise) -> Bound:
    geometry = model.geometry()
    start, duration = model.start_and_duration(images)
    z = walk(geometry, start, duration, model.config.brownian_steps, noise)
    kl = brownian_divergence(model, geometry, z, start, duration)
    reconstruction = model.log_likelihood(z, images)
    return Bound(reconstruction - kl, reconstruction, kl, torch.zeros_like(kl), (z - start).detach().norm(dim=1))


def walk(geometry: Geometry, start: Tensor, duration: Tensor, n_steps: int, noise: Noise) -> Tensor:
    """Move start (B, d) by Brownian motion for duration (B,) in n_steps: a function of the noise, differentiable."""
    # A bound is given two normals per latent, a motion needs n_steps: these draw the others.
    seed = int(noise.latent.double().sum().cpu().view(torch.int64))
    generator = torch.Generator().manual_seed(seed)
    return brownian_motion(geometry, start, duration.sqrt().unsqueeze(1), n_steps, generator).position


def brownian_divergence(model: RVAE, geometry: Geometry, z: Tensor, start: Tensor, duration: Tensor) -> Tensor:
    """Estimate KL(q | p) by one draw z (B, d) of the posterior that begins at start (B, d) (eq. 3.8): (B,)."""
    centre, prior_duration = model.prior_centre.expand_as(start), model.log_prior_duration.exp()
    ends = torch.cat([start, centre])
    settings = GeodesicSettings(
        n_control=model.config.curve_points, max_iterations=model.config.curve_steps, tolerance=STRAIGHT_ENOUGH
    )
    to_posterior, to_prior = squared_distances_along(geometry, torch.cat([z, z]), ends, settings).chunk(2)
    volumes = geometry.log_volume(model.prior_centre.unsqueeze(0)) - geometry.log_volume(start)
    distances = 0.5 * (to_prior / prior_duration - to_posterior / duration)
    return volumes + distances + 0.5 * start.shape[1] * (model.log_prior_duration - duration.log())


def squared_distances_along(geometry: Geometry, first: Tensor, second: Tensor, settings: GeodesicSettings) -> Tensor:
    """Give the energy of the spline that was bent from the straight line between each pair (P, d): (P,).

    That is the squared length of a geodesic (appendix B), and unlike it smooth where the two meet. Its gradient is that
    at a fixed bend, the curve's departure from the straight line: at the least energy the bend's own change does not
    matter (the envelope theorem).
    """
    line = straight_lines(first, second, settings.n_control)
    with torch.no_grad():
        unbent = Curves(*(points.detach() for points in line))
        bend = descend(geometry, unbent, settings).curves.control - unbent.control
    return energy(geometry, line._replace(control=line.control + bend), settings.nodes)
