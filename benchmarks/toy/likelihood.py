"""log p(x) of held-out digits on 150 images of three classes of MNIST (rhvae_2020, table 2).

50 images of each of 0, 1, 2; 80 % to train; d = 10; trained until the bound on the other 20 % has not improved for 100
epochs; log p(x) of those by 200 importance samples. HVAE and RHVAE: 3 leapfrogs, step size learned; RHVAE: T learned,
lambda = 1e-3. The paper's 30 images are few and also decide when to stop; 600 others of these digits are judged too.
"""

import torch

from benchmarks.toy.images import draw_small_set, load
from cohortsmith.config.generator import TrainingConfig, VAEConfig, read_generator
from cohortsmith.models.marginal_likelihood import log_marginal
from cohortsmith.models.training import fit_vae

N_DRAWS = 200
N_UNSEEN = 600
PAPER = {"VAE": -113.48, "HVAE": -112.07, "RHVAE": -110.60}
_COMMON = {"latent_dim": 10, "likelihood": "bernoulli", "network": {"hidden": [400], "metric_hidden": [150]}}
MODELS: dict[str, VAEConfig] = {
    "VAE": read_generator({"kind": "vae", **_COMMON}),
    "HVAE": read_generator({"kind": "hvae", **_COMMON, "step_size": 1e-2, "learned": ["step_size", "sqrt_beta_zero"]}),
    "RHVAE": read_generator(
        {
            "kind": "rhvae",
            **_COMMON,
            "step_size": 1e-2,
            "temperature": 1.5,
            "regularization": 1e-3,
            "learned": ["temperature", "step_size"],
        }
    ),
}
TRAINING = TrainingConfig(
    learning_rate=1e-3,
    batch_size=60,
    epochs=600,
    warm_up_epochs=20,
    learning_rate_ramp=10,
    patience=100,
    stop_on="validation",
)


def evaluate(model: str, seed: int) -> dict[str, float]:
    torch.set_num_threads(1)
    small = draw_small_set(load("mnist_t10k_first5000"), range(3), 50, 0.8, seed)
    fitted = fit_vae(small.train.images, MODELS[model], TRAINING, seed, validation=small.validation.images)
    generator = torch.Generator().manual_seed(seed)
    found = log_marginal(fitted, small.validation.images, N_DRAWS, generator)
    unseen = log_marginal(
        fitted, small.test.images[:: len(small.test.images) // N_UNSEEN][:N_UNSEEN], N_DRAWS, generator
    )
    return {
        "log_p": found.value.mean().item(),
        "log_p_unseen": unseen.value.mean().item(),
        "epochs": float(len(fitted.history)),
        "flow_shift": fitted.history[-1].flow_shift,
    }
