"""On the phantom the truth is known: chance stays chance, and the disease effect survives generation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from cohortsmith.config.classifier import CustomConfig
from cohortsmith.config.generator import NetworkConfig, RHVAEConfig, SamplerConfig, TrainingConfig
from cohortsmith.config.study import PhantomConfig
from cohortsmith.evaluation.scores import summarise_arms
from cohortsmith.execution import run_items
from cohortsmith.imaging.grid import downsample, resample
from cohortsmith.imaging.intensity import min_max
from cohortsmith.imaging.phantom import draw_cohort, make_scan, ventricle_volume
from cohortsmith.imaging.template import crop_grid
from cohortsmith.imaging.volume import Volume
from cohortsmith.models.classifier_batches import Labelled
from cohortsmith.models.classifier_training import ArmJob
from cohortsmith.models.fitted import decode
from cohortsmith.models.sampling import draw_latents
from cohortsmith.models.training import fit_vae
from cohortsmith.pipelines.judge.jobs import PlannedJob
from cohortsmith.pipelines.judge.nodes import train_one

PHANTOM = PhantomConfig(n_subjects=80, n_external=0, voxel_size=5.0)
SEEDS = range(3)


def aligned_scan(index: int) -> Volume:
    """Take a phantom scan to template space by its true pose: what a perfect registration would give."""
    scan = make_scan(PHANTOM, "training", index)
    moved = resample(scan.volume, scan.truth.pose, crop_grid(4.0))
    return downsample(Volume(min_max(moved.data), moved.affine), 2)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, np.ndarray, np.ndarray]:
    """Images on disk, the same images, their labels (1 AD), and the grid."""
    items = {str(index): (index,) for index in range(PHANTOM.n_subjects)}
    made = {outcome.key: outcome.value for outcome in run_items(aligned_scan, items, workers=0, title="phantom")}
    images = np.stack([made[str(index)].data for index in range(PHANTOM.n_subjects)])
    path = tmp_path_factory.mktemp("phantom") / "images.npy"
    np.save(path, images)
    labels = (draw_cohort(PHANTOM, "training")["diagnosis"] == "AD").to_numpy(dtype=np.int64)
    return path, images, labels, made["0"].affine


def labelled(path: Path, labels: np.ndarray, rows: slice) -> Labelled:
    chosen = np.arange(len(labels))[rows]
    return Labelled(path, labels[chosen], chosen)


@pytest.mark.slow
@pytest.mark.statistical
def test_classifiers_trained_on_random_labels_are_at_chance(study):
    path, _, labels, _ = study
    train, validation, test = (labelled(path, labels, rows) for rows in (slice(40), slice(40, 50), slice(50, None)))
    config = CustomConfig(
        channels=(4, 8, 16), strides=(1, 1, 1), dense=(16,), batch_size=8, optimizer_steps=60, evaluations=3
    )
    jobs = {
        str(seed): (PlannedJob(ArmJob("random-labels", seed, train, None, validation, {"test": test}, config), "", {}),)
        for seed in SEEDS
    }
    runs = {outcome.key: outcome.value for outcome in run_items(train_one, jobs, workers=0, title="random labels")}
    predictions = pd.concat(
        pd.DataFrame(
            {
                "arm": "random-labels",
                "seed": int(seed),
                "test_set": "test",
                "participant_id": np.arange(len(test.labels)),
                "label": test.labels,
                "probability": run["probabilities"]["test"],
            }
        )
        for seed, run in runs.items()
    )

    row = summarise_arms(predictions, 0.99, 500, np.random.default_rng(0)).iloc[0]

    assert row["low"] <= 0.5 <= row["high"]
    assert row["high"] - row["low"] < 0.9  # an interval that holds everything would prove nothing


@pytest.mark.slow
@pytest.mark.statistical
def test_synthetic_patients_have_larger_ventricles_than_synthetic_controls(study):
    _, images, labels, affine = study
    rhvae = RHVAEConfig(
        latent_dim=4, likelihood_variance=0.02, network=NetworkConfig(hidden=(64, 32), metric_hidden=(32,))
    )
    training = TrainingConfig(learning_rate=1e-3, epochs=200, warm_up_epochs=100, batch_size=40)
    volumes = []
    for label in (0, 1):
        fitted = fit_vae(images[labels == label], rhvae, training, seed=1)
        draws = draw_latents(fitted, SamplerConfig(n_samples=40, n_steps=100), torch.Generator().manual_seed(1))
        made = np.asarray(decode(fitted, draws.latents))
        volumes.append([ventricle_volume(Volume(image, affine)) for image in made])

    test = stats.ttest_ind(volumes[1], volumes[0], equal_var=False, alternative="greater")

    assert test.pvalue < 0.001
