"""Classifiers of scikit-learn on whole images as vectors: random forest, nearest neighbours, SVM, perceptron."""

from typing import Any, NamedTuple, Protocol

import numpy as np
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
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.classifier_batches import BatchSource

READ_AT_ONCE = 16  # images


class Estimator(Protocol):
    """What is used of a scikit-learn classifier."""

    def fit(self, values: Any, labels: Any) -> Any:
        """Fit to values (n, D) and labels (n,)."""


class FittedEstimator(NamedTuple):
    """A fitted classifier of scikit-learn."""

    config: EstimatorConfig
    estimator: Any


def fit_estimator(sources: tuple[BatchSource, ...], config: EstimatorConfig, seed: int) -> FittedEstimator:
    """Fit to every image of the sources once."""
    generator = torch.Generator().manual_seed(seed)
    values = np.concatenate([_vectors(source, generator) for source in sources])
    labels = np.concatenate([source.labels for source in sources])
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
    values = _vectors(source, torch.Generator())
    if isinstance(fitted.config, SupportVectorMachineConfig):
        distances: NDArray[np.float64] = expit(fitted.estimator.decision_function(values))
        return distances
    probabilities: NDArray[np.float64] = fitted.estimator.predict_proba(values)[:, 1].astype(np.float64)
    return probabilities


def _vectors(source: BatchSource, generator: torch.Generator) -> NDArray[np.float32]:
    rows = np.arange(len(source.labels))
    parts = [rows[start : start + READ_AT_ONCE] for start in range(0, len(rows), READ_AT_ONCE)]
    return np.concatenate([source.images(part, generator).flatten(1).numpy() for part in parts])
