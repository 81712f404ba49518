"""Random search for the classifier's architecture (Optuna): each is trained on every fold, the best mean wins.

Sources: Chadebec et al. (TPAMI 2022), ClinicaDL's rules of construction. All architectures are drawn before the first
one is trained and follow from the seed, so that a search that was stopped goes on from the scores that are there.
"""

from collections.abc import Mapping
from math import isfinite, prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from cohortsmith.config.classifier import CustomConfig, NeuralNetworkConfig
from cohortsmith.config.random_search import RandomSearchConfig
from cohortsmith.errors import StudyError
from cohortsmith.models.classifier_batches import Labelled, sample_from, source_of
from cohortsmith.models.classifier_training import train_classifier

if TYPE_CHECKING:
    import optuna
    from optuna import Study
    from optuna.trial import BaseTrial


class Trial(NamedTuple):
    """One architecture on one fold, both counted from 0."""

    architecture: int
    fold: int
    config: CustomConfig

    @property
    def key(self) -> str:
        """Name the trial in records."""
        return self.name(self.architecture, self.fold)

    @staticmethod
    def name(architecture: int, fold: int) -> str:
        """Name the trial of this architecture and fold."""
        return f"architecture-{architecture:03d}_fold-{fold}"


class Fold(NamedTuple):
    """Positions (n,) of the images to train on and to validate on."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]


def draw_architecture(space: RandomSearchConfig, shape: tuple[int, ...], draw: "BaseTrial") -> CustomConfig:
    """Draw one architecture for images of `shape`.

    Channels double from block to block until they reach the limit; within a block all convolutions but the last keep
    the block's channels; the widths of the dense layers are a geometric progression from the features to 2.
    """
    n_blocks = draw.suggest_int("blocks", *space.blocks)
    channels = [int(draw.suggest_categorical("first_channels", space.first_channels))]
    while len(channels) < n_blocks:
        channels.append(channels[-1] * (2 if channels[-1] < space.channels_limit else 1))
    counts = [draw.suggest_categorical(f"convolutions_{block}", space.convolutions) for block in range(n_blocks)]
    n_features = channels[-1] * prod(-(-side // 2**n_blocks) for side in shape)
    return CustomConfig(
        channels=tuple(channels),
        convolutions=tuple(int(count) for count in counts),
        strides=(),
        dense=dense_widths(n_features, draw.suggest_int("dense_layers", *space.dense_layers)),
        dropout=draw.suggest_float("dropout", *space.dropout),
        activation=space.activation,
        dense_activation=space.activation,
        learning_rate=10 ** -draw.suggest_float("learning_rate_exponent", *space.learning_rate_exponent),
        weight_decay=_draw_weight_decay(space, draw),
        batch_size=space.batch_size,
        optimizer_steps=space.optimizer_steps,
        evaluations=space.evaluations,
    )


def _draw_weight_decay(space: RandomSearchConfig, draw: "BaseTrial") -> float:
    if draw.suggest_float("weight_decay_share", 0.0, 1.0) >= space.weight_decay_share:
        return 0.0
    return float(10 ** -draw.suggest_float("weight_decay_exponent", *space.weight_decay_exponent))


def dense_widths(n_features: int, n_layers: int) -> tuple[int, ...]:
    """Give the widths between `n_features` and the 2 logits: n_features / r^k, r = (n_features / 2)^(1 / n_layers)."""
    ratio = (n_features / 2) ** (1 / n_layers)
    return tuple(max(1, round(n_features / ratio**k)) for k in range(1, n_layers))


def plan_trials(space: RandomSearchConfig, shape: tuple[int, ...], seed: int) -> list[Trial]:
    """Draw all architectures and give each every fold."""
    drawn = _draw_all(space, shape, seed).architectures
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


def conclude(space: RandomSearchConfig, shape: tuple[int, ...], seed: int, scores: Mapping[str, float]) -> "Study":
    """Tell Optuna's study the mean score of every architecture over its folds.

    An architecture with a fold that has no finite score (its training diverged) has failed.

    Raises:
        StudyError: no architecture has a score on every fold.
    """
    drawn = _draw_all(space, shape, seed)
    means = [_mean_score(space, k, scores) for k in range(space.n_architectures)]
    if not any(map(isfinite, means)):
        raise StudyError(
            "no architecture was trained on every fold", where="random search", got=f"{len(scores)} scores"
        )
    for draw, mean in zip(drawn.draws, means, strict=True):
        _tell(drawn.study, draw, mean)
    return drawn.study


def best_architecture(
    space: RandomSearchConfig, shape: tuple[int, ...], seed: int, scores: Mapping[str, float]
) -> CustomConfig:
    """Choose the architecture with the best mean score over its folds; the first drawn wins a tie.

    Raises:
        StudyError: no architecture has a score on every fold.
    """
    best = conclude(space, shape, seed, scores).best_trial.number
    return _draw_all(space, shape, seed).architectures[best]


class _Drawn(NamedTuple):
    study: "Study"
    draws: "list[optuna.Trial]"
    architectures: list[CustomConfig]


def _draw_all(space: RandomSearchConfig, shape: tuple[int, ...], seed: int) -> _Drawn:
    import optuna  # noqa: PLC0415  workers that train need not import it

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed))
    draws = [study.ask() for _ in range(space.n_architectures)]
    return _Drawn(study, draws, [draw_architecture(space, shape, draw) for draw in draws])


def _mean_score(space: RandomSearchConfig, architecture: int, scores: Mapping[str, float]) -> float:
    keys = (Trial.name(architecture, fold) for fold in range(space.n_folds))
    return float(np.mean([scores.get(key, float("nan")) for key in keys]))


def _tell(study: "Study", draw: "optuna.Trial", mean: float) -> None:
    from optuna.trial import TrialState  # noqa: PLC0415  as above

    if isfinite(mean):
        study.tell(draw, mean)
    else:
        study.tell(draw, state=TrialState.FAIL)


def _choose(data: Labelled, positions: NDArray[np.int64]) -> Labelled:
    rows = np.arange(len(data.labels)) if data.rows is None else data.rows
    return data._replace(labels=data.labels[positions], rows=rows[positions])
