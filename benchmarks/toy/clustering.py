"""Rings and disks clustered by k-medoids under straight and under geodesic distances (rhvae_2020, section 4.5)."""

import numpy as np
import torch
from sklearn.metrics import f1_score

from benchmarks.toy.images import load
from cohortsmith.config.generator import TrainingConfig, read_generator
from cohortsmith.core.clustering import k_medoids
from cohortsmith.core.distances import pairwise_distances
from cohortsmith.core.metric import learned_geometry
from cohortsmith.models.training import fit_vae

PAPER = {"straight": 62.68, "geodesic": 77.43}
MODEL = read_generator(
    {
        "kind": "rhvae",
        "latent_dim": 2,
        "likelihood": "bernoulli",
        "step_size": 1e-2,
        "temperature": 0.8,
        "regularization": 1e-3,
        "network": {"hidden": [400], "metric_hidden": [400]},
    }
)
TRAINING = TrainingConfig(learning_rate=1e-3, batch_size=180, epochs=600, warm_up_epochs=20, patience=100)


def evaluate(seed: int) -> dict[str, float]:
    torch.set_num_threads(1)
    shapes = load("disks_rings_180")
    fitted = fit_vae(shapes.images, MODEL, TRAINING, seed)
    assert fitted.field is not None
    codes = fitted.field.centroids
    distances = {
        "straight": torch.cdist(codes, codes),
        "geodesic": pairwise_distances(learned_geometry(fitted.field), codes),
    }
    return {name: 100 * f1(matrix, shapes.labels, seed) for name, matrix in distances.items()} | {
        "epochs": float(len(fitted.history))
    }


def f1(distances: torch.Tensor, truth: np.ndarray, seed: int) -> float:
    """Macro F1 of two clusters named in the better of the two ways."""
    found = k_medoids(distances, 2, torch.Generator().manual_seed(seed)).labels.numpy()
    return max(f1_score(truth, found, average="macro"), f1_score(truth, 1 - found, average="macro"))
