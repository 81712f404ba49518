"""The Hamiltonian VAE: a VAE whose posterior is carried along a tempered flow in flat latent space."""

from cohortsmith.config.generator import HVAEConfig
from cohortsmith.models.flow_settings import FlowSettings
from cohortsmith.models.vae import VAE


class HVAE(VAE):
    """Encoder, decoder, and the flow's numbers where they are learned (Caterini et al. 2018)."""

    config: HVAEConfig

    def __init__(self, config: HVAEConfig, image_shape: tuple[int, ...]) -> None:
        super().__init__(config, image_shape)
        self.flow = FlowSettings(config.learned)
