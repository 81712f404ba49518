"""Train the judging classifier on one arm.

A network takes a number of optimiser steps that is the same for every arm; a classifier of scikit-learn sees every
image of the arm once.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, log_loss
from torch import Tensor
from torch.nn.functional import cross_entropy

from cohortsmith.config.classifier import ClassifierConfig, EstimatorConfig, NeuralNetworkConfig
from cohortsmith.config.judge import Arm, ClassicAugmentationConfig, Mixture
from cohortsmith.errors import TrainingError
from cohortsmith.models.classifier import Classifier, build_classifier
from cohortsmith.models.classifier_batches import (
    BatchSource,
    ImageSet,
    Labelled,
    SampleBatch,
    Training,
    arm_sources,
    concatenated,
    permute_labels,
    sample_from,
    source_of,
)
from cohortsmith.models.classifier_estimators import FittedEstimator, estimate, fit_estimator


class Evaluation(NamedTuple):
    """One look: mean training loss since the last one, and balanced accuracy on the validation images."""

    step: int
    loss: float
    balanced_accuracy: float


class ClassifierFit(NamedTuple):
    """A trained network: its weights at the best step, and what it takes to rebuild it."""

    config: NeuralNetworkConfig
    shape: tuple[int, ...]
    state: dict[str, Tensor]
    best_step: int
    history: tuple[Evaluation, ...]


class ArmJob(NamedTuple):
    """Everything one training of one arm needs; plain values that travel to a worker process.

    prior: draws from the prior of a plain VAE, for the arm that compares with them. mixture: of two kinds of images.
    """

    arm: Arm
    seed: int
    real: Labelled
    synthetic: ImageSet | None
    validation: Labelled
    tests: dict[str, ImageSet]
    config: ClassifierConfig
    classic: ClassicAugmentationConfig = ClassicAugmentationConfig()
    prior: ImageSet | None = None
    mixture: Mixture = "half"


class ArmOutcome(NamedTuple):
    """What came of an `ArmJob`.

    fit: of a network; None for a classifier of scikit-learn, which is not kept.
    probabilities: per test set, each image's (n,) of being a patient.
    """

    arm: Arm
    seed: int
    best_step: int
    history: tuple[Evaluation, ...]
    probabilities: dict[str, NDArray[np.float64]]
    fit: ClassifierFit | None = None


def run_arm(job: ArmJob) -> ArmOutcome:
    """Train one arm with one seed and predict its test sets; the random-label arm also permutes validation.

    Raises:
        StudyError: a class, or the synthetic set that the arm needs, is empty.
        TrainingError: the loss stopped being a number.
    """
    sources = arm_sources(job.arm, Training(job.real, job.synthetic, job.prior), job.classic, job.seed)
    permuted = job.arm == "random-labels"
    validation = source_of(permute_labels(job.validation, job.seed) if permuted else job.validation)
    tests = {name: source_of(test) for name, test in job.tests.items()}
    if isinstance(job.config, EstimatorConfig):
        return _run_estimator(job, job.config, sources, validation, tests)
    return _run_network(job, sources, validation, tests)


def train_classifier(
    sample_batch: SampleBatch, validation: BatchSource, config: NeuralNetworkConfig, seed: int
) -> ClassifierFit:
    """Take `config.optimizer_steps` Adam steps on cross-entropy; keep the first state that validates best.

    sample_batch: generator -> images (B, 1, *shape) in [0, 1], labels (B,). validation: real images only.
    One generator, seeded with `seed`, draws the weights first: arms of one seed start from the same network.
    Only states at an evaluation can be kept; a later one must be strictly better (TPAMI 2022, ClinicaDL).

    Raises:
        TrainingError: the loss stopped being a number.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = tuple(_images(validation, np.zeros(1, dtype=np.int64)).shape[2:])
    network = build_classifier(config, shape, generator)
    optimizer = torch.optim.Adam(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    history: list[Evaluation] = []
    state: dict[str, Tensor] = {}
    for start, stop in pairwise([0, *_evaluation_steps(config)]):
        network.train()
        losses = [_take_step(network, optimizer, sample_batch, generator) for _ in range(start, stop)]
        history.append(_look(network, validation, stop, losses, config))
        if best_step(history) == stop:
            state = {name: value.clone() for name, value in network.state_dict().items()}
    return ClassifierFit(config, shape, state, best_step(history), tuple(history))


def best_step(history: list[Evaluation]) -> int:
    """Find the step with the best validation balanced accuracy; the earliest wins a tie."""
    return max(history, key=lambda looked: (looked.balanced_accuracy, -looked.step)).step


def predict(fit: ClassifierFit, source: BatchSource, batch_size: int = 16) -> NDArray[np.float64]:
    """Give each image's probability (n,) of being the positive class (the patient)."""
    network = build_classifier(fit.config, fit.shape, torch.Generator())
    network.load_state_dict(fit.state)
    return _probabilities(network, source, batch_size)


def _run_network(
    job: ArmJob, sources: tuple[BatchSource, ...], validation: BatchSource, tests: dict[str, BatchSource]
) -> ArmOutcome:
    if not isinstance(job.config, NeuralNetworkConfig):
        raise TypeError(f"no way to train a classifier of kind {job.config.kind}")
    mixed = (concatenated(sources),) if job.mixture == "concatenated" else sources
    fit = train_classifier(sample_from(mixed, job.config.batch_size), validation, job.config, job.seed)
    probabilities = {name: predict(fit, test) for name, test in tests.items()}
    return ArmOutcome(job.arm, job.seed, fit.best_step, fit.history, probabilities, fit)


def _run_estimator(
    job: ArmJob,
    config: EstimatorConfig,
    sources: tuple[BatchSource, ...],
    validation: BatchSource,
    tests: dict[str, BatchSource],
) -> ArmOutcome:
    fitted = fit_estimator(sources, config, job.seed)
    looked = _look_once(fitted, validation)
    probabilities = {name: estimate(fitted, test) for name, test in tests.items()}
    return ArmOutcome(job.arm, job.seed, looked.step, (looked,), probabilities)


def _look_once(fitted: FittedEstimator, validation: BatchSource) -> Evaluation:
    # the loss is the validation images': a forest's on what it was fitted to says nothing
    scores = estimate(fitted, validation)
    loss = log_loss(validation.labels, scores, labels=[0, 1])
    return Evaluation(1, float(loss), float(balanced_accuracy_score(validation.labels, scores >= 0.5)))


def _evaluation_steps(config: NeuralNetworkConfig) -> list[int]:
    """Space the evaluations evenly over the steps; the last one is at the end."""
    return [config.optimizer_steps * (k + 1) // config.evaluations for k in range(config.evaluations)]


def _take_step(
    network: Classifier,
    optimizer: torch.optim.Optimizer,
    sample_batch: SampleBatch,
    generator: torch.Generator,
) -> float:
    images, labels = sample_batch(generator)
    loss = cross_entropy(network(images, generator), labels)
    if not torch.isfinite(loss):
        raise TrainingError(
            "the classifier's loss is not a number any more",
            where="classifier training",
            expected="finite images in [0, 1] and a modest learning rate",
            remedy="lower classifier.learning_rate, or look for NaN in the prepared and synthetic images",
        )
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item()


def _look(
    network: Classifier, validation: BatchSource, step: int, losses: list[float], config: NeuralNetworkConfig
) -> Evaluation:
    called = _probabilities(network, validation, config.batch_size) >= 0.5
    return Evaluation(step, float(np.mean(losses)), float(balanced_accuracy_score(validation.labels, called)))


@torch.inference_mode()
def _probabilities(network: Classifier, source: BatchSource, batch_size: int) -> NDArray[np.float64]:
    network.eval()
    n = len(source.labels)
    batches = np.array_split(np.arange(n), max(1, -(-n // batch_size)))
    logits = torch.cat([network(_images(source, batch)) for batch in batches])
    probabilities: NDArray[np.float64] = logits.double().softmax(dim=1)[:, 1].numpy()
    return probabilities


def _images(source: BatchSource, rows: NDArray[np.int64]) -> Tensor:
    # what is only looked at is never varied: no source of such images draws from the generator
    return source.images(rows, torch.Generator())
