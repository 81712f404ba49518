"""The RHVAE that its authors published, from the stored oracle."""

import torch

from cohortsmith.config.generator import NetworkConfig, RHVAEConfig
from cohortsmith.models.rhvae import RHVAE


def authors_model(oracle):
    config = RHVAEConfig(
        latent_dim=2, likelihood="bernoulli", network=NetworkConfig(hidden=(400,), metric_hidden=(400,))
    )
    names = {
        "encoder.trunk.0": "fc1",
        "encoder.mean": "fc21",
        "encoder.log_variance": "fc22",
        "decoder.trunk.0": "fc3",
        "decoder.logits": "fc4",
        "metric.trunk.0": "metric_fc1",
        "metric.log_diagonal": "metric_fc21",
        "metric.strictly_lower": "metric_fc22",
    }
    state = {
        f"{ours}.{kind}": torch.from_numpy(oracle[f"w_{theirs}_{kind}"])
        for ours, theirs in names.items()
        for kind in ("weight", "bias")
    }
    model = RHVAE(config, (28, 28))
    standardised = {"standardise.centre": torch.zeros(784), "standardise.contrast": torch.ones(())}
    model.load_state_dict(state | standardised | {"log_variance": torch.zeros(())})
    return model
