"""The Riemannian Hamiltonian VAE: a VAE with a network that learns the metric of its latent space."""

from torch import Tensor

from cohortsmith.config.generator import RHVAEConfig
from cohortsmith.core.metric import MetricField
from cohortsmith.models.flow_settings import FlowSettings
from cohortsmith.models.networks import build_metric_network
from cohortsmith.models.vae import VAE


class RHVAE(VAE):
    """Encoder, decoder, metric network (thesis 1.3.2), and the flow's numbers where they are learned."""

    config: RHVAEConfig

    def __init__(self, config: RHVAEConfig, image_shape: tuple[int, ...]) -> None:
        super().__init__(config, image_shape)
        self.metric = build_metric_network(config.network, image_shape, config.latent_dim)
        self.flow = FlowSettings(config.learned)

    def field(self, images: Tensor) -> MetricField:
        """Give the metric whose centroids are the posterior means of these images (N, D)."""
        return self.field_at(self.posterior(images).mean, images)

    def field_at(self, means: Tensor, images: Tensor) -> MetricField:
        """Give the metric with centroids `means` (N, d), already encoded, and factors of `images` (N, D)."""
        factors = self.metric(self.standardise(images))
        temperature = self.flow.get("temperature", self.config.temperature)
        return MetricField(means, factors, temperature, self.flow.get("regularization", self.config.regularization))
