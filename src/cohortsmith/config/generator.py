"""The RHVAE, its training and the chains that sample its latent space."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from cohortsmith.config.base import Config


class NetworkConfig(Config):
    """Multi-layer perceptrons: encoder D-hidden-d, mirrored decoder, metric network D-metric_hidden-(d, d(d-1)/2)."""

    hidden: tuple[PositiveInt, ...] = (500, 500, 400)
    metric_hidden: tuple[PositiveInt, ...] = (400,)


class RHVAEConfig(Config):
    """Riemannian Hamiltonian VAE (thesis 1.3; table 2.4 and section 1.5 for the published settings).

    temperature T and regularization lambda in latent units; step_size is the leapfrog's eps.
    likelihood_variance: var in log p(x|z) = -|x - mu|^2 / (2 var) - D/2 log(2 pi var), a sum over all D voxels of
    an image in [0, 1]. The smaller, the sharper and the closer to a copy; too large, and every draw is the mean
    image. The published 1.0 is for full-size images: divide it by the down-sampling's factor in voxels.
    `learned_variance` fits it instead, starting there.
    """

    latent_dim: PositiveInt = 10
    n_leapfrog: PositiveInt = 3
    step_size: PositiveFloat = 1e-3
    fixed_point_iterations: PositiveInt = 3
    temperature: PositiveFloat = 1.5
    regularization: PositiveFloat = 1e-2
    sqrt_beta_zero: float = Field(0.3, gt=0, le=1)
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    likelihood_variance: PositiveFloat = 1.0
    learned_variance: bool = False
    network: NetworkConfig = NetworkConfig()


class TrainingConfig(Config):
    """Adam on the evidence lower bound.

    learning_rate: suits every image size, as the networks see images scaled to a norm that does not depend on it;
    the thesis's 1e-3 (784 voxels), 1e-4 (36 608) and 1e-5 (777 504) are for raw voxels.
    learning_rate_ramp: optimiser steps over which the learning rate rises from zero, at the start, when the flow is
    switched on and after each rollback: Adam's first steps move all weights of a fresh network at full length.
    warm_up_epochs: epochs as a plain VAE before the Hamiltonian flow is switched on (see DECISIONS.md).
    patience: epochs without improvement of the smoothed ELBO before training stops, never within the warm-up.
    smoothing: weight of the past in the ELBO's running mean. max_rollbacks: times that an epoch which diverged is
    begun again from the best weights, each time with half the learning rate and half the leapfrog step.
    maximum_residual: mean fixed-point residual of the flow (latent units) beyond which an epoch counts as diverged:
    an unsolved flow does not preserve volume, and its ELBO is no bound.
    """

    learning_rate: PositiveFloat = 1e-3
    learning_rate_ramp: PositiveInt = 30
    batch_size: PositiveInt = 25
    epochs: PositiveInt = 300
    warm_up_epochs: int = Field(100, ge=0)
    patience: PositiveInt = 50
    smoothing: float = Field(0.9, ge=0, lt=1)
    max_rollbacks: int = Field(5, ge=0)
    maximum_residual: PositiveFloat = 0.01

    @model_validator(mode="after")
    def _leave_epochs_to_the_flow(self) -> "TrainingConfig":
        if self.warm_up_epochs >= self.epochs:
            raise ValueError("warm_up_epochs must be below epochs: the metric is only learned after the warm-up")
        return self


class SamplerConfig(Config):
    """HMC on sqrt(det G^-1) restricted to S = {|z| <= support_radius * max |c_i|} (thesis 1.8, 1.9).

    n_samples: synthetic scans per class. void_distance: a draw whose nearest centroid is farther than this
    multiple of the neighbourhood counts as lying in the void; the neighbourhood is the larger of the metric's
    temperature and of the largest nearest-neighbour distance among centroids. support_reach: restrict S further,
    to points whose nearest centroid is within this multiple of the neighbourhood.
    """

    n_samples: PositiveInt = 100
    n_steps: PositiveInt = 200
    n_leapfrog: PositiveInt = 15
    step_size: PositiveFloat = 0.03
    support_radius: PositiveFloat = 2.0
    support_reach: PositiveFloat | None = None
    minimum_acceptance: float = Field(0.3, ge=0, le=1)
    void_distance: PositiveFloat = 2.0
