"""GAN-train, GAN-test and augmentation on reduced MNIST (thesis tables 1.2 and 1.3).

500 images, 50 per class, 80 % to train and 20 % to validate; the other images of the 5000 are the test set. One model
per class; 1000 synthetic images per class. Epochs, d (2 to 10) and the sampler's step were chosen on another draw of
the 500 images (seed 100), with a part of its test images.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks.toy import densenet
from benchmarks.toy.images import Labelled, SmallSet, draw_small_set, join, load, of_class
from cohortsmith.config.generator import SamplerConfig, TrainingConfig, VAEConfig, read_generator
from cohortsmith.models.fitted import FittedVAE, decode
from cohortsmith.models.sampling import draw_latents
from cohortsmith.models.training import fit_vae

N_SYNTHETIC = 1_000
_COMMON = {"latent_dim": 5, "likelihood": "bernoulli", "network": {"hidden": [400], "metric_hidden": [400]}}
MODELS: dict[str, VAEConfig] = {
    "VAE": read_generator({"kind": "vae", **_COMMON}),
    "VAMP": read_generator({"kind": "vamp_vae", **_COMMON, "n_pseudo_inputs": 10}),
    "RHVAE": read_generator(
        {"kind": "rhvae", **_COMMON, "step_size": 1e-2, "temperature": 0.8, "regularization": 1e-3}
    ),
}
TRAINING = TrainingConfig(learning_rate=1e-3, batch_size=40, epochs=500, warm_up_epochs=50, patience=500)


class Arm(NamedTuple):
    """Which model's latent space is sampled how; paper: GAN-train, GAN-test and accuracy of real + 1000 there."""

    model: str
    sampler: dict[str, Any]
    paper: tuple[float | None, float | None, float | None] = (None, None, None)


ARMS: dict[str, Arm] = {
    "VAE, prior": Arm("VAE", {"kind": "prior"}, (83.4, 67.1, 91.2)),
    "VAE, GMM(10)": Arm("VAE", {"kind": "gaussian_mixture"}, (82.9, 76.5, 92.0)),
    "VAE, posterior geometry": Arm("VAE", {"kind": "geometric", "n_warm_up": 100, "n_leapfrog": 10}),
    "VAMP": Arm("VAMP", {"kind": "vamp"}, (72.8, 77.6, 93.6)),
    "RHVAE, prior": Arm("RHVAE", {"kind": "prior"}, (82.0, 63.1, 91.7)),
    "RHVAE, learned geometry": Arm(
        "RHVAE", {"kind": "hmc", "step_size": 0.05, "n_leapfrog": 15, "n_steps": 300}, (90.1, 88.1, 93.2)
    ),
}
SETTINGS = densenet.ClassifierSettings()
BASELINE = (90.6, None, 89.9)


def draw_set(seed: int) -> SmallSet:
    return draw_small_set(load("mnist_t10k_first5000"), range(10), 50, 0.8, seed)


def baseline(seed: int) -> dict[str, float]:
    torch.set_num_threads(1)
    small = draw_set(seed)
    return {
        "accuracy": 100 * densenet.accuracy(densenet.train(small.train, small.validation, seed, SETTINGS), small.test)
    }


def evaluate(model: str, seed: int) -> dict[str, dict[str, float]]:
    """Fit one model per class on one draw of the small set, and judge each way of sampling it: arm -> scores."""
    torch.set_num_threads(1)
    small = draw_set(seed)
    judge = densenet.train(small.train, small.validation, seed, SETTINGS)
    fitted = [fit_vae(of_class(small.train, label), MODELS[model], TRAINING, 100 * seed + label) for label in range(10)]
    arms = {name: arm for name, arm in ARMS.items() if arm.model == model}
    return {name: _judge(judge, synthesise(fitted, arm, seed), small, seed) for name, arm in arms.items()}


def synthesise(fitted: list[FittedVAE], arm: Arm, seed: int) -> Labelled:
    sampler = SamplerConfig(n_samples=N_SYNTHETIC, **arm.sampler)
    parts = [
        decode(one, draw_latents(one, sampler, torch.Generator().manual_seed(100 * seed + label)).latents).numpy()
        for label, one in enumerate(fitted)
    ]
    return Labelled(np.concatenate(parts), np.repeat(np.arange(10), N_SYNTHETIC))


def _judge(judge: nn.Module, synthetic: Labelled, small: SmallSet, seed: int) -> dict[str, float]:
    on_synthetic = densenet.train(synthetic, small.validation, seed, SETTINGS)
    on_both = densenet.train(join(small.train, synthetic), small.validation, seed, SETTINGS)
    return {
        "gan_train": 100 * densenet.accuracy(on_synthetic, small.test),
        "gan_test": 100 * densenet.accuracy(judge, synthetic),
        "augmented": 100 * densenet.accuracy(on_both, small.test),
    }
