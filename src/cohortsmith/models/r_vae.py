"""The R-VAE: prior and posterior are Brownian motions on the surface that the decoder makes of the latent space."""

import math
from functools import partial

import torch
from torch import Tensor, nn

from cohortsmith.config.generator import RVAEConfig
from cohortsmith.core.brownian import brownian_motion
from cohortsmith.core.geometry import Geometry
from cohortsmith.core.pullback_metric import pullback_geometry
from cohortsmith.core.radial_precision import RadialPrecision, radial_deviation, radial_precision
from cohortsmith.core.support import largest_gap
from cohortsmith.models.batches import Images, read_batch, split_batches
from cohortsmith.models.shared_weight import SharedWeight
from cohortsmith.models.vae import VAE, Posterior

WIDTHS_PER_GAP = 3.0  # the precision is then 0.65 of a centre's amid the gap, and 0.01 as far away as it is wide
SUREST = 0.1  # share of the mean squared error below which no voxel's is believed at the start
PRIOR_STEPS = 200  # the prior's motion goes as far as the data do: a longer step leaps over the void's walls
NUMBERS_AT_ONCE = 25_000_000  # in the Jacobians of points decoded together: 100 MB in float32


class RVAE(VAE):
    """Encoder, decoder, radial precision network, and the prior's centre and duration (Kalatzis et al. 2020).

    Once it is more than an autoencoder, the means of encoder and decoder are constants: no gradient reaches them, and
    precision and durations are learned (appendix C.1).
    centres: (K, d), bandwidth: (K,), log_weights: (K, D) or (K, 1), of the precision. prior_centre: (d,) mu_p.
    """

    config: RVAEConfig
    centres: Tensor
    bandwidth: Tensor
    prior_centre: Tensor

    def __init__(self, config: RVAEConfig, image_shape: tuple[int, ...]) -> None:
        super().__init__(config, image_shape)
        n_outputs = math.prod(image_shape) if config.precision_per_voxel else 1
        self.register_buffer("centres", torch.empty(config.n_centres, config.latent_dim))
        self.register_buffer("bandwidth", torch.empty(config.n_centres))
        self.register_buffer("prior_centre", torch.empty(config.latent_dim))
        self.log_weights = nn.Parameter(torch.empty(config.n_centres, n_outputs))
        self.log_prior_duration = nn.Parameter(torch.empty(()))

    def start_empty(self) -> None:
        """Start with a single bump around the latent space's origin, until the codes are known."""
        self.centres.zero_()
        self.bandwidth.fill_(1.0)
        self.prior_centre.zero_()
        self.log_weights.data.fill_(-math.log(self.config.likelihood_variance * self.config.n_centres))
        self.log_prior_duration.data.zero_()

    def mean_image(self, z: Tensor) -> Tensor:
        """Decode (B, d) -> (B, D), the decoder itself held constant."""
        logits: Tensor = torch.func.functional_call(self.decoder, _constant(self.decoder), z)
        return logits.sigmoid()

    def precision(self) -> RadialPrecision:
        """Give the network that says how sure the decoder is of each voxel."""
        return RadialPrecision(self.centres, self.bandwidth, self.log_weights.exp(), self.config.precision_floor)

    def geometry(self) -> Geometry:
        """Give the metric that decoded mean and deviation pull back (Kalatzis et al. 2020, eq. 2.5)."""
        network, dimension = self.precision(), self.config.latent_dim
        at_once = max(1, NUMBERS_AT_ONCE // (dimension * len(self.standardise.centre)))
        return pullback_geometry(dimension, self.mean_image, partial(radial_deviation, network), at_once)

    def start_and_duration(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode images (B, D) into where the posterior's motion begins (B, d) and how long it lasts, t_q (B,).

        A duration is the variance of a coordinate of the image. The encoder has one log-variance per latent axis:
        t_q is their geometric mean.
        """
        weights = _constant(self.encoder, but="log_variance.")
        mean, log_variance = torch.func.functional_call(self.encoder, weights, self.standardise(images))
        return mean, log_variance.mean(1).exp()

    def posterior(self, images: Tensor) -> Posterior:
        """Encode images (B, D) into the normal law nearest to their motion: the diagonal of t_q G^-1 at its start."""
        start, duration = self.start_and_duration(images)
        variance = duration.unsqueeze(1) * self.geometry().inverse(start).diagonal(dim1=1, dim2=2)
        return Posterior(start, variance.log())

    def log_likelihood(self, latents: Tensor, images: Tensor, wide: SharedWeight | None = None) -> Tensor:
        """Give log N(x; mu(z), diag sigma^2(z)): (B, d), (B, D) -> (B,), summed over voxels."""
        precision = radial_precision(self.precision(), latents).expand_as(images)
        squared = precision * (images - self.mean_image(latents)).square()
        return 0.5 * (precision.log() - squared - math.log(2 * math.pi)).sum(1)


def draw_brownian_prior(model: RVAE, n: int, generator: torch.Generator, n_steps: int = PRIOR_STEPS) -> Tensor:
    """Draw n latent points (n, d) from the learned prior: Brownian motion from mu_p for t_p (eq. 3.15)."""
    start = model.prior_centre.repeat(n, 1)
    with torch.no_grad():
        deviation = float(model.log_prior_duration.exp().sqrt())
        return brownian_motion(model.geometry(), start, deviation, n_steps, generator).position


@torch.no_grad()
def begin_brownian(model: RVAE, images: Images, batch_size: int, generator: torch.Generator) -> None:
    """Turn an autoencoder of images (N, *shape) into an R-VAE that has still to learn precision and durations.

    Centres are the codes' k-means; every code is one where there are fewer than `n_centres`, some of them twice. The
    precision begins at the residuals', the posterior's duration at their mean; the prior begins at the most central
    code and lasts as long as the codes' spread asks.
    """
    codes, residual = _codes_and_residual(model, images, batch_size)
    _place_centres(model, codes, generator)
    believed = residual.clamp(min=SUREST * residual.mean())
    _start_precision(model, codes, believed)
    last_layer = model.encoder.get_submodule("log_variance")
    last_layer.get_parameter("weight").zero_()
    last_layer.get_parameter("bias").fill_(believed.mean().log())
    _start_prior(model, codes)


def _constant(network: nn.Module, but: str = "-") -> dict[str, Tensor]:
    """Give the network's weights cut off from the gradient, but for those whose names begin so."""
    return {name: weight if name.startswith(but) else weight.detach() for name, weight in network.named_parameters()}


def _codes_and_residual(model: RVAE, images: Images, batch_size: int) -> tuple[Tensor, Tensor]:
    """Give the codes (N, d) and each voxel's mean squared error (D,)."""
    codes, squares = [], torch.zeros_like(model.standardise.centre)
    for rows in split_batches(len(images), batch_size):
        batch = read_batch(images, rows).to(squares)
        codes.append(model.encoder(model.standardise(batch))[0])
        squares += (batch - model.mean_image(codes[-1])).square().sum(0)
    return torch.cat(codes), squares / len(images)


def _place_centres(model: RVAE, codes: Tensor, generator: torch.Generator) -> None:
    centres = _cluster(codes, model.config.n_centres, generator)
    model.centres.copy_(centres[torch.arange(model.config.n_centres, device=codes.device) % len(centres)])
    gamma = model.config.bandwidth
    model.bandwidth.fill_(_bandwidth(centres) if gamma is None else gamma)


def _cluster(codes: Tensor, k: int, generator: torch.Generator) -> Tensor:
    if k >= len(codes):
        return codes
    from sklearn.cluster import KMeans  # noqa: PLC0415  slow to import, and only wanted here

    seed = int(torch.randint(2**31, (), generator=generator))
    found = KMeans(k, n_init=1, random_state=seed).fit(codes.double().cpu().numpy())
    return torch.from_numpy(found.cluster_centers_).to(codes)


def _bandwidth(centres: Tensor) -> float:
    """Give gamma = 1 / (2 h^2), the largest gap among the centres being WIDTHS_PER_GAP h."""
    width = largest_gap(centres) / WIDTHS_PER_GAP
    smallest: float = torch.finfo(centres.dtype).tiny ** 0.5
    return 0.5 / max(width, smallest) ** 2


def _start_precision(model: RVAE, codes: Tensor, believed: Tensor) -> None:
    ones = RadialPrecision(model.centres, model.bandwidth, torch.ones_like(model.bandwidth), 0.0)
    each = (1 / believed - model.config.precision_floor).clamp(min=model.config.precision_floor)
    share = each / radial_precision(ones, codes).mean()
    shared = share if model.config.precision_per_voxel else share.mean()
    model.log_weights.copy_(shared.log().expand_as(model.log_weights))


def _start_prior(model: RVAE, codes: Tensor) -> None:
    central = torch.cdist(codes, codes).sum(1).argmin()
    model.prior_centre.copy_(codes[central])
    middle = model.mean_image(codes[central].unsqueeze(0))
    away = [(model.mean_image(code.unsqueeze(0)) - middle).square().sum() for code in codes]
    spread = torch.stack(away).mean() / codes.shape[1]
    model.log_prior_duration.copy_(spread.clamp(min=torch.finfo(codes.dtype).eps).log())
