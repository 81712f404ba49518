"""Random search for the classifier's architecture: every candidate is trained on every fold, the best mean wins.

Sources: Chadebec et al. (TPAMI 2022), ClinicaDL's rules of construction. Draws are independent and each follows from
the seed and its number alone, so that a search that was stopped goes on from the scores that are there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from cohortsmith.config.classifier import CustomConfig, NeuralNetworkConfig
from cohortsmith.config.random_search import RandomSearchConfig
from cohortsmith.errors import StudyError
from cohortsmith.models.classifier_batches import Labelled, sample_from, source_of
from cohortsmith.models.classifier_training import train_classifier


class Trial(NamedTuple):
    """One architecture on one fold, both counted from 0."""

    architecture: int
    fold: int
    config: CustomConfig

    @property
    def key(self) -> str:
        """Name the trial in records."""
        return f"architecture-{self.architecture:03d}_fold-{self.fold}"


class Fold(NamedTuple):
    """Positions (n,) of the images to train on and to validate on."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]


def draw_architecture(
    space: RandomSearchConfig, shape: tuple[int, ...], generator: np.random.Generator
) -> CustomConfig:
    """Draw one architecture for images of `shape`.

    Channels double from block to block until they reach the limit; within a block all convolutions but the last keep
    the block's channels; the widths of the dense layers are a geometric progression from the features to 2.
    """
    n_blocks = int(generator.integers(*space.blocks, endpoint=True))
    channels = [int(generator.choice(space.first_channels))]
    while len(channels) < n_blocks:
        channels.append(channels[-1] * (2 if channels[-1] < space.channels_limit else 1))
    convolutions = generator.choice(space.convolutions, n_blocks)
    n_dense = int(generator.integers(*space.dense_layers, endpoint=True))
    n_features = channels[-1] * prod(-(-side // 2**n_blocks) for side in shape)
    learning_rate = 10 ** -generator.uniform(*space.learning_rate_exponent)
    weight_decay = 10 ** -generator.uniform(*space.weight_decay_exponent)
    return CustomConfig(
        channels=tuple(channels),
        convolutions=tuple(int(count) for count in convolutions),
        strides=(),
        dense=dense_widths(n_features, n_dense),
        dropout=generator.uniform(*space.dropout),
        activation=space.activation,
        dense_activation=space.activation,
        learning_rate=learning_rate,
        weight_decay=weight_decay if generator.random() < space.weight_decay_share else 0.0,
        batch_size=space.batch_size,
        optimizer_steps=space.optimizer_steps,
        evaluations=space.evaluations,
    )


def dense_widths(n_features: int, n_layers: int) -> tuple[int, ...]:
    """Give the widths between `n_features` and the 2 logits: n_features / r^k, r = (n_features / 2)^(1 / n_layers)."""
    ratio = (n_features / 2) ** (1 / n_layers)
    return tuple(max(1, round(n_features / ratio**k)) for k in range(1, n_layers))


def plan_trials(space: RandomSearchConfig, shape: tuple[int, ...], seed: int) -> list[Trial]:
    """Draw all architectures and give each every fold."""
    drawn = [draw_architecture(space, shape, np.random.default_rng([seed, k])) for k in range(space.n_architectures)]
    return [Trial(k, fold, config) for k, config in enumerate(drawn) for fold in range(space.n_folds)]


def stratified_folds(labels: NDArray[np.int64], n_folds: int, seed: int) -> list[Fold]:
    """Split positions into folds of equal class shares; `labels` has one image per subject.

    Raises:
        StudyError: a class has fewer images than there are folds.
    """
    smallest = int(np.bincount(labels, minlength=2).min())
    if smallest < n_folds:
        raise StudyError(
            "too few subjects for cross-validation",
            where="random search, folds",
            got=f"{smallest} subjects of the smaller class",
            expected=f"at least {n_folds}",
            remedy="use fewer folds",
        )
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return [Fold(training, validation) for training, validation in splitter.split(np.zeros(len(labels)), labels)]


def train_fold(data: Labelled, fold: Fold, config: NeuralNetworkConfig, seed: int) -> float:
    """Train on one fold's images and give the best balanced accuracy on its validation images.

    Raises:
        TrainingError: the loss stopped being a number.
    """
    training, validation = (_choose(data, positions) for positions in fold)
    sample_batch = sample_from((source_of(training),), config.batch_size)
    fit = train_classifier(sample_batch, source_of(validation), config, seed)
    return max(looked.balanced_accuracy for looked in fit.history)


def search(
    trials: Sequence[Trial], done: Mapping[str, float], train_one_fold: Callable[[Trial], float]
) -> Iterator[tuple[str, float]]:
    """Yield the key and score of every trial that has none yet, each as soon as it is there."""
    for trial in trials:
        if trial.key not in done:
            yield trial.key, train_one_fold(trial)


def best_architecture(trials: Sequence[Trial], scores: Mapping[str, float]) -> CustomConfig:
    """Choose the architecture with the best mean score over its folds; the first drawn wins a tie.

    An architecture with a fold that has no finite score (its training diverged) is out.

    Raises:
        StudyError: no architecture has a score on every fold.
    """
    by_architecture: dict[int, list[float]] = {}
    for trial in trials:
        by_architecture.setdefault(trial.architecture, []).append(scores.get(trial.key, float("nan")))
    means = {k: float(np.mean(values)) for k, values in by_architecture.items() if all(map(isfinite, values))}
    if not means:
        raise StudyError(
            "no architecture was trained on every fold", where="random search", got=f"{len(scores)} scores"
        )
    best = max(means, key=lambda k: (means[k], -k))
    return next(trial.config for trial in trials if trial.architecture == best)


def _choose(data: Labelled, positions: NDArray[np.int64]) -> Labelled:
    rows = np.arange(len(data.labels)) if data.rows is None else data.rows
    return data._replace(labels=data.labels[positions], rows=rows[positions])
