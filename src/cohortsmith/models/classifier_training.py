"""Train the judging classifier for a fixed number of optimiser steps, the same for every arm."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor
from torch.nn.functional import cross_entropy

from cohortsmith.config.judge import Arm, ClassicAugmentationConfig, ClassifierConfig
from cohortsmith.errors import TrainingError
from cohortsmith.models.classifier import Classifier, build_classifier
from cohortsmith.models.classifier_batches import (
    Labelled,
    Opened,
    SampleBatch,
    batch_source,
    opened,
    permute_labels,
    read_images,
)


class Evaluation(NamedTuple):
    """One look: mean training loss since the last one, and balanced accuracy on the validation images."""

    step: int
    loss: float
    balanced_accuracy: float


class ClassifierFit(NamedTuple):
    """A trained classifier: its weights at the best step, and what it takes to rebuild the network."""

    config: ClassifierConfig
    shape: tuple[int, ...]
    state: dict[str, Tensor]
    best_step: int
    history: tuple[Evaluation, ...]


class ArmJob(NamedTuple):
    """Everything one training of one arm needs; plain values that travel to a worker process."""

    arm: Arm
    seed: int
    real: Labelled
    synthetic: Labelled | None
    validation: Labelled
    tests: dict[str, Labelled]
    config: ClassifierConfig
    classic: ClassicAugmentationConfig = ClassicAugmentationConfig()


class ArmOutcome(NamedTuple):
    """What came of an `ArmJob`: the fit, and per test set each image's probability (n,) of being a patient."""

    arm: Arm
    seed: int
    fit: ClassifierFit
    probabilities: dict[str, NDArray[np.float64]]


def run_arm(job: ArmJob) -> ArmOutcome:
    """Train one arm with one seed and predict its test sets; the random-label arm also permutes validation.

    Raises:
        StudyError: a class, or the synthetic set that the arm needs, is empty.
        TrainingError: the loss stopped being a number.
    """
    sample_batch = batch_source(job.arm, job.real, job.synthetic, job.config.batch_size, job.classic, job.seed)
    permuted = job.arm == "random-labels"
    validation = permute_labels(job.validation, job.seed) if permuted else job.validation
    fit = train_classifier(sample_batch, validation, job.config, job.seed)
    probabilities = {name: predict(fit, test) for name, test in job.tests.items()}
    return ArmOutcome(job.arm, job.seed, fit, probabilities)


def train_classifier(
    sample_batch: SampleBatch, validation: Labelled, config: ClassifierConfig, seed: int
) -> ClassifierFit:
    """Take `config.optimizer_steps` Adam steps on cross-entropy; keep the first state that validates best.

    sample_batch: generator -> images (B, 1, *shape) in [0, 1], labels (B,). validation: real images only.
    One generator, seeded with `seed`, draws the weights first: arms of one seed start from the same network.

    Raises:
        TrainingError: the loss stopped being a number.
    """
    looked_at = opened(validation)
    generator = torch.Generator().manual_seed(seed)
    shape = tuple(looked_at.images.shape[1:])
    network = build_classifier(config, shape, generator)
    optimizer = torch.optim.Adam(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    history: list[Evaluation] = []
    state: dict[str, Tensor] = {}
    for start, stop in pairwise([0, *_evaluation_steps(config)]):
        losses = [_take_step(network, optimizer, sample_batch, generator) for _ in range(start, stop)]
        history.append(_look(network, looked_at, stop, losses, config))
        if best_step(history) == stop:
            state = {name: value.clone() for name, value in network.state_dict().items()}
    return ClassifierFit(config, shape, state, best_step(history), tuple(history))


def best_step(history: list[Evaluation]) -> int:
    """Find the step with the best validation balanced accuracy; the earliest wins a tie."""
    return max(history, key=lambda looked: (looked.balanced_accuracy, -looked.step)).step


def predict(fit: ClassifierFit, data: Labelled, batch_size: int = 16) -> NDArray[np.float64]:
    """Give each image's probability (n,) of being the positive class (the patient)."""
    network = build_classifier(fit.config, fit.shape, torch.Generator())
    network.load_state_dict(fit.state)
    return _probabilities(network, opened(data), batch_size)


def _evaluation_steps(config: ClassifierConfig) -> list[int]:
    """Space the evaluations evenly over the steps; the last one is at the end."""
    return [config.optimizer_steps * (k + 1) // config.evaluations for k in range(config.evaluations)]


def _take_step(
    network: Classifier,
    optimizer: torch.optim.Optimizer,
    sample_batch: SampleBatch,
    generator: torch.Generator,
) -> float:
    network.train()
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
    network: Classifier, validation: Opened, step: int, losses: list[float], config: ClassifierConfig
) -> Evaluation:
    called = _probabilities(network, validation, config.batch_size) >= 0.5
    return Evaluation(step, float(np.mean(losses)), float(balanced_accuracy_score(validation.labels, called)))


@torch.no_grad()
def _probabilities(network: Classifier, data: Opened, batch_size: int) -> NDArray[np.float64]:
    network.eval()
    batches = np.array_split(np.arange(len(data.labels)), max(1, -(-len(data.labels) // batch_size)))
    logits = torch.cat([network(read_images(data, batch)) for batch in batches])
    probabilities: NDArray[np.float64] = logits.double().softmax(dim=1)[:, 1].numpy()
    return probabilities
