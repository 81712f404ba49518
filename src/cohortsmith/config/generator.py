"""The generative models, their training, and the chains that sample their latent space."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    model_validator,
)

from cohortsmith.config.base import Config, read_kind

Kind = Literal["vae", "beta_vae", "vamp_vae", "hvae", "rhvae", "r_vae"]


class NetworkConfig(Config):
    """Encoder, mirrored decoder and metric network.

    mlp: multi-layer perceptrons D-hidden-d, d-hidden reversed-D and D-metric_hidden-(d, d(d-1)/2).
    convolutional: one residual block of stride 2 per entry of `channels`, in as many dimensions as the images have,
    then a linear layer; the metric network has `metric_channels`.
    """

    kind: Literal["mlp", "convolutional"] = "mlp"
    hidden: tuple[PositiveInt, ...] = (500, 500, 400)
    metric_hidden: tuple[PositiveInt, ...] = (400,)
    channels: tuple[PositiveInt, ...] = Field(default=(16, 32, 64), min_length=1)
    metric_channels: tuple[PositiveInt, ...] = Field(default=(8, 16), min_length=1)
    activation: Literal["relu", "elu"] = "relu"


class VAEConfig(Config):
    """Variational autoencoder with prior N(0, I) (Kingma & Welling 2014).

    likelihood_variance: var in log p(x|z) = -|x - mu|^2 / (2 var) - D/2 log(2 pi var), a sum over all D voxels of
    an image in [0, 1]. The smaller, the sharper and the closer to a copy; too large, and every draw is the mean
    image. The published 1.0 is for full-size images: divide it by the down-sampling's factor in voxels.
    `learned_variance` fits it instead, starting there.
    """

    kind: Kind = "vae"
    latent_dim: PositiveInt = 10
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    likelihood_variance: PositiveFloat = 1.0
    learned_variance: bool = False
    network: NetworkConfig = NetworkConfig()


class BetaVAEConfig(VAEConfig):
    """VAE whose KL to the prior weighs beta times (Higgins et al. 2017)."""

    kind: Literal["beta_vae"] = "beta_vae"
    beta: PositiveFloat = 4.0


class VampVAEConfig(VAEConfig):
    """VAE whose prior is the mean of its posteriors at learned pseudo-inputs (Tomczak & Welling 2018)."""

    kind: Literal["vamp_vae"] = "vamp_vae"
    n_pseudo_inputs: PositiveInt = 10


class HVAEConfig(VAEConfig):
    """VAE with a tempered Hamiltonian flow in flat latent space (Caterini et al. 2018).

    step_size: the leapfrog's eps. learned: which of the flow's numbers are fitted, starting at the values here.
    """

    kind: Literal["hvae"] = "hvae"
    n_leapfrog: PositiveInt = 3
    step_size: PositiveFloat = 1e-3
    sqrt_beta_zero: float = Field(0.3, gt=0, le=1)
    learned: tuple[Literal["step_size", "sqrt_beta_zero"], ...] = ()


class RHVAEConfig(VAEConfig):
    """Riemannian Hamiltonian VAE (thesis 1.3; table 2.4 and section 1.5 for the published settings).

    temperature T and regularization lambda in latent units; step_size is the leapfrog's eps.
    learned: which of these four numbers are fitted, starting at the values here.
    n_centroids: thin the fitted metric to this many training subjects, the k-medoids of the codes.
    """

    kind: Literal["rhvae"] = "rhvae"
    n_leapfrog: PositiveInt = 3
    step_size: PositiveFloat = 1e-3
    fixed_point_iterations: PositiveInt = 3
    temperature: PositiveFloat = 1.5
    regularization: PositiveFloat = 1e-2
    sqrt_beta_zero: float = Field(0.3, gt=0, le=1)
    learned: tuple[Literal["temperature", "regularization", "step_size", "sqrt_beta_zero"], ...] = ()
    n_centroids: PositiveInt | None = None


class RVAEConfig(VAEConfig):
    """VAE with Riemannian Brownian-motion prior and posterior (Kalatzis et al. 2020).

    n_centres, bandwidth: K and gamma of the radial precision network sum_k W_k exp(-gamma |z - c_k|^2) + zeta; 350
    and 0.01 in the paper's appendix C. Codes have no scale of their own: without a bandwidth, it follows from theirs.
    precision_floor: zeta, per squared intensity. precision_per_voxel: K D weights; else one precision for all voxels.
    curve_points, curve_steps: inner control points of each geodesic's spline and steps of its energy's descent.
    brownian_steps: T, the steps of a posterior's or the prior's walk. The warm-up trains an autoencoder, whose means
    are then fixed; likelihood_variance is its own. The paper's activation is elu.
    """

    kind: Literal["r_vae"] = "r_vae"
    likelihood: Literal["gaussian"] = "gaussian"
    n_centres: PositiveInt = 350
    bandwidth: PositiveFloat | None = None
    precision_floor: PositiveFloat = 1e-2
    precision_per_voxel: bool = True
    curve_points: PositiveInt = 4
    curve_steps: NonNegativeInt = 5
    brownian_steps: PositiveInt = 10


_KINDS: dict[str, type[VAEConfig]] = {
    "vae": VAEConfig,
    "beta_vae": BetaVAEConfig,
    "vamp_vae": VampVAEConfig,
    "hvae": HVAEConfig,
    "rhvae": RHVAEConfig,
    "r_vae": RVAEConfig,
}


def read_generator(values: Any, where: str = "parameters.generator") -> VAEConfig:
    """Build the configuration of the kind of model that `values` names; without a kind, of the RHVAE.

    Raises:
        ConfigurationError: an unknown kind, a key that this kind has not, or a value out of range.
    """
    return read_kind(values, where, "generative model", _KINDS, "rhvae")


GeneratorConfig = Annotated[SerializeAsAny[VAEConfig], BeforeValidator(read_generator)]
"""The configuration of any kind of model, as a field of another block."""


class TrainingConfig(Config):
    """Adam on the evidence lower bound.

    learning_rate: suits every image size, as the networks see images scaled to a norm that does not depend on it;
    the thesis's 1e-3 (784 voxels), 1e-4 (36 608) and 1e-5 (777 504) are for raw voxels.
    learning_rate_ramp: optimiser steps over which the learning rate rises from zero, at the start, when the flow is
    switched on and after each rollback: Adam's first steps move all weights of a fresh network at full length.
    warm_up_epochs: epochs as a plain VAE before the Hamiltonian flow is switched on (see DECISIONS.md).
    flow_ramp_epochs: epochs over which the leapfrog step then grows to its full size; 1 is full size at once.
    patience: epochs without improvement of the ELBO before training stops, never within the warm-up.
    stop_on: whose ELBO decides that, and which weights are best: the training images' running mean (thesis 2.4), or
    that of validation images (thesis 3.7.4), which the generator has then seen.
    schedule: constant, or plateau: half the learning rate after each schedule_patience epochs without improvement,
    5 in the thesis (3.7.4).
    smoothing: weight of the past in the training ELBO's running mean. max_rollbacks: times that an epoch which
    diverged is begun again from the best weights, each time with half the learning rate and half the leapfrog step.
    maximum_residual: mean fixed-point residual of the flow (latent units) beyond which an epoch counts as diverged:
    an unsolved flow does not preserve volume, and its ELBO is no bound.
    device: auto is the GPU where there is one. precision: of the networks' wide matrix products only; the metric, the
    flow and all sums over voxels stay float32.
    checkpoint_every: epochs from one checkpoint to the next, longer where less than checkpoint_seconds have passed.
    Neither of the two changes the result.
    """

    learning_rate: PositiveFloat = 1e-3
    learning_rate_ramp: PositiveInt = 30
    batch_size: PositiveInt = 25
    epochs: PositiveInt = 300
    warm_up_epochs: int = Field(100, ge=0)
    flow_ramp_epochs: PositiveInt = 1
    patience: PositiveInt = 50
    stop_on: Literal["training", "validation"] = "training"
    schedule: Literal["constant", "plateau"] = "constant"
    schedule_patience: PositiveInt = 5
    smoothing: float = Field(0.9, ge=0, lt=1)
    max_rollbacks: int = Field(5, ge=0)
    maximum_residual: PositiveFloat = 0.01
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: PositiveInt = 10
    checkpoint_seconds: NonNegativeFloat = 60.0

    @model_validator(mode="after")
    def _leave_epochs_to_the_flow(self) -> "TrainingConfig":
        if self.warm_up_epochs >= self.epochs:
            raise ValueError("warm_up_epochs must be below epochs: the metric is only learned after the warm-up")
        return self


class SamplerConfig(Config):
    """How latent points are drawn.

    kind: hmc (on sqrt det G^-1 of an RHVAE's learned metric, thesis 1.8, 1.9), geometric (HMC on sqrt det G of the
    posteriors' metric, any model), random_walk (Riemannian, RHVAE), brownian (under the decoder's pull-back metric,
    any model); and to compare: prior, gaussian_mixture (on the codes), vamp (vamp_vae).
    n_samples: synthetic scans per class. n_warm_up: steps in which the step size, starting at step_size, is adapted to
    target_acceptance, then frozen; with 0, step_size itself is used, as published.
    Chains stay in S = {|z| <= support_radius * max |c_i|}. support_reach: restrict S further, to points whose nearest
    centroid is within this multiple of the neighbourhood, which is the larger of the metric's temperature and of the
    largest nearest-neighbour distance among centroids. void_distance: a draw whose nearest centroid is farther than
    this multiple of the neighbourhood counts as lying in the void.
    duration: of the Brownian motion, the square of the length it typically covers, in units of images' distances.
    n_components: of the Gaussian mixture.
    """

    kind: Literal["hmc", "geometric", "random_walk", "brownian", "prior", "gaussian_mixture", "vamp"] = "hmc"
    n_samples: PositiveInt = 100
    n_warm_up: NonNegativeInt = 0
    n_steps: int = Field(200, ge=8)
    n_leapfrog: PositiveInt = 15
    step_size: PositiveFloat = 0.03
    target_acceptance: float = Field(0.8, gt=0, lt=1)
    support_radius: PositiveFloat = 2.0
    support_reach: PositiveFloat | None = None
    minimum_acceptance: float = Field(0.3, ge=0, le=1)
    void_distance: PositiveFloat = 2.0
    duration: PositiveFloat = 1.0
    n_components: PositiveInt = 10
