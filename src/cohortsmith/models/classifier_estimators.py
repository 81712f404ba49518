"""Classifiers of scikit-learn on whole images as vectors: random forest, nearest neighbours, SVM, perceptron.

Unlike networks, which take equally many optimiser steps in every arm, they are fitted to every image of an arm once:
arms differ in their number of images (real: the originals; real+classic: as many altered copies again; synthetic: the
dose; real+synthetic: both), and the perceptron takes more steps where there are more.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import psutil  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from cohortsmith.config.classifier import (
    EstimatorConfig,
    NearestNeighboursConfig,
    RandomForestConfig,
    SklearnMLPConfig,
    SupportVectorMachineConfig,
)
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.models.classifier_batches import BatchSource

READ_AT_ONCE = 16  # images
SHARE_OF_MEMORY = 0.5  # of what is free, that the images an estimator is fitted to may take
_GIGABYTE = 2**30


class Estimator(Protocol):
    """What is used of a scikit-learn classifier."""

    def fit(self, values: Any, labels: Any) -> Any:
        """Fit to values (n, D) and labels (n,)."""


class FittedEstimator(NamedTuple):
    """A fitted classifier of scikit-learn."""

    config: EstimatorConfig
    estimator: Any


def fit_estimator(sources: tuple[BatchSource, ...], config: EstimatorConfig, seed: int) -> FittedEstimator:
    """Fit to every image of the sources once.

    Raises:
        StudyError: all of them together take more than `SHARE_OF_MEMORY` of the machine's free memory (a smaller limit
            of a container is not seen).
    """
    labels = np.concatenate([source.labels for source in sources])
    n_voxels = sources[0].images(np.zeros(1, dtype=np.int64), torch.Generator()).numel()
    _refuse_beyond_memory(len(labels), n_voxels, config)
    values = _matrix(sources, n_voxels, torch.Generator().manual_seed(seed))
    estimator = build_estimator(config, seed)
    estimator.fit(values, labels)
    return FittedEstimator(config, estimator)


def build_estimator(config: EstimatorConfig, seed: int) -> Estimator:
    """Build the classifier, unfitted; scikit-learn's own defaults where the configuration is silent.

    Raises:
        ConfigurationError: no kind of scikit-learn's.
    """
    match config:
        case RandomForestConfig():
            built = RandomForestClassifier(config.n_trees, class_weight="balanced", random_state=seed, n_jobs=1)
        case NearestNeighboursConfig():
            built = KNeighborsClassifier(config.n_neighbours)
        case SupportVectorMachineConfig():
            built = SVC(C=config.penalty, kernel=config.kernel, class_weight="balanced", random_state=seed)
        case SklearnMLPConfig():
            built = MLPClassifier(
                config.hidden,
                learning_rate_init=config.learning_rate,
                max_iter=config.max_epochs,
                random_state=seed,
            )
        case _:
            raise ConfigurationError("not a classifier of scikit-learn", where="classifier.kind", got=config.kind)
    estimator: Estimator = built
    return estimator


def estimate(fitted: FittedEstimator, source: BatchSource) -> NDArray[np.float64]:
    """Give each image's score (n,) in [0, 1], above 0.5 where it is taken for a patient.

    A probability, but for the SVM, whose signed distance from the margin goes through the logistic function.
    """
    return np.concatenate([_scores(fitted, values) for values in _vectors(source, torch.Generator())])


def _scores(fitted: FittedEstimator, values: NDArray[np.float32]) -> NDArray[np.float64]:
    if isinstance(fitted.config, SupportVectorMachineConfig):
        distances: NDArray[np.float64] = expit(fitted.estimator.decision_function(values))
        return distances
    probabilities: NDArray[np.float64] = fitted.estimator.predict_proba(values)[:, 1].astype(np.float64)
    return probabilities


def _refuse_beyond_memory(n_images: int, n_voxels: int, config: EstimatorConfig) -> None:
    # the SVM makes itself a copy in double precision
    size = (12 if isinstance(config, SupportVectorMachineConfig) else 4) * n_images * n_voxels
    free = psutil.virtual_memory().available
    if size > SHARE_OF_MEMORY * free:
        raise StudyError(
            "the images that a classifier of scikit-learn is fitted to do not fit into memory",
            where=f"classifier.kind: {config.kind}",
            got=f"{n_images} images of {n_voxels} voxels, {size / _GIGABYTE:.1f} GB",
            expected=f"at most {SHARE_OF_MEMORY:.0%} of the {free / _GIGABYTE:.1f} GB that are free",
            remedy="lower judge.n_synthetic, prepare smaller images, or judge by a network, which reads batch by batch",
        )


def _matrix(sources: tuple[BatchSource, ...], n_voxels: int, generator: torch.Generator) -> NDArray[np.float32]:
    values = np.empty((sum(len(source.labels) for source in sources), n_voxels), dtype=np.float32)
    start = 0
    for source in sources:
        for part in _vectors(source, generator):
            values[start : start + len(part)] = part
            start += len(part)
    return values


def _vectors(source: BatchSource, generator: torch.Generator) -> Iterator[NDArray[np.float32]]:
    rows = np.arange(len(source.labels))
    for start in range(0, len(rows), READ_AT_ONCE):
        yield source.images(rows[start : start + READ_AT_ONCE], generator).flatten(1).numpy()
