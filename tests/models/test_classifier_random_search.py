"""Architectures follow the rules of construction, the same ones for a seed, and the best mean over folds wins."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna import create_study
from optuna.samplers import RandomSampler

from cohortsmith.config.classifier import CustomConfig, OptimizedConfig
from cohortsmith.config.random_search import RandomSearchConfig
from cohortsmith.errors import StudyError
from cohortsmith.models.classifier import count_features
from cohortsmith.models.classifier_architectures import architecture_of
from cohortsmith.models.classifier_batches import Labelled
from cohortsmith.models.classifier_random_search import (
    best_architecture,
    conclude,
    dense_widths,
    draw_architecture,
    plan_trials,
    stratified_folds,
    train_fold,
)

SPACE = RandomSearchConfig()
SHAPE = (84, 104, 89)


def draw(space: RandomSearchConfig, seed: int) -> CustomConfig:
    study = create_study(sampler=RandomSampler(seed))
    return draw_architecture(space, SHAPE, study.ask())


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_draw_lies_in_the_space_and_follows_the_rules(seed) -> None:
    config = draw(SPACE, seed)
    assert 2 <= len(config.channels) <= 6
    assert config.channels[0] in (2, 5)
    assert all(after == before * (2 if before < 256 else 1) for before, after in pairwise(config.channels))
    assert set(config.convolutions) <= {1, 2, 3}
    assert 0 <= config.dropout <= 0.9
    assert 1e-5 <= config.learning_rate <= 1e-2
    assert config.weight_decay == 0 or 1e-4 <= config.weight_decay <= 1e-2
    assert len(config.dense) <= 2
    assert dense_widths(count_features(config, SHAPE), len(config.dense) + 1) == config.dense


def test_dense_widths_are_a_geometric_progression_down_to_two_logits() -> None:
    assert dense_widths(2000, 3) == (200, 20)
    assert dense_widths(1280, 1) == ()


def test_channels_stop_doubling_at_the_limit() -> None:
    space = RandomSearchConfig(blocks=(6, 6), first_channels=(5,), channels_limit=20)
    config = draw(space, 0)
    assert config.channels == (5, 10, 20, 20, 20, 20)


def test_the_published_choice_can_be_drawn() -> None:
    config = CustomConfig(
        channels=(5, 10, 20, 40, 80, 160), convolutions=(1, 1, 3, 1, 1, 1), strides=(), dense=(), dropout=0.001,
        activation="leaky_relu", dense_activation="leaky_relu",
    )  # fmt: skip
    assert architecture_of(config) == architecture_of(OptimizedConfig())
    space = RandomSearchConfig(blocks=(6, 6), first_channels=(5,), dense_layers=(1, 1), convolutions=(1, 3))
    drawn = [trial.config for trial in plan_trials(space.model_copy(update={"n_architectures": 500}), SHAPE, 0)][::5]
    assert (config.channels, config.convolutions, ()) in {(one.channels, one.convolutions, one.dense) for one in drawn}


def test_an_architecture_follows_from_the_seed_and_its_number_however_many_there_are() -> None:
    few, many, other = (
        plan_trials(RandomSearchConfig(n_architectures=n), SHAPE, seed) for n, seed in ((3, 1), (5, 1), (3, 2))
    )
    assert few == many[: len(few)]
    assert [trial.key for trial in few][:6] == [
        *(f"architecture-000_fold-{fold}" for fold in range(5)),
        "architecture-001_fold-0",
    ]
    assert few[0].config != other[0].config


SMALL = RandomSearchConfig(n_architectures=3, n_folds=2)
TRIALS = plan_trials(SMALL, SHAPE, 0)


def scores(*values: float) -> dict[str, float]:
    return dict(zip((trial.key for trial in TRIALS), values, strict=False))


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ((0.5, 0.6, 0.9, 0.3, 0.6, 0.7), 2),
        ((0.7, 0.6, 0.6, 0.7, 0.1, 0.2), 0),  # the first of equals
        ((0.5, 0.6, 0.9, float("nan"), 0.1, 0.2), 0),
        ((0.5, 0.6, 0.9), 0),  # a fold is missing
    ],
)
def test_the_best_mean_over_all_folds_wins(values, best) -> None:
    assert best_architecture(SMALL, SHAPE, 0, scores(*values)) == TRIALS[2 * best].config


def test_without_a_complete_architecture_there_is_no_best_one() -> None:
    with pytest.raises(StudyError, match="no architecture"):
        best_architecture(SMALL, SHAPE, 0, scores(0.4))


def test_the_study_knows_every_draw_and_which_ones_failed() -> None:
    study = conclude(SMALL, SHAPE, 0, scores(0.5, 0.7, 0.9))
    assert [(one.value, one.state.name) for one in study.trials] == [(0.6, "COMPLETE"), (None, "FAIL"), (None, "FAIL")]
    assert all(one.params["blocks"] == len(TRIALS[2 * k].config.channels) for k, one in enumerate(study.trials))


def test_folds_cover_every_image_once_and_keep_the_shares_of_the_classes() -> None:
    labels = np.repeat([0, 1], [20, 10])
    folds = stratified_folds(labels, 5, seed=0)
    assert sorted(np.concatenate([fold.validation for fold in folds])) == list(range(30))
    assert all(labels[fold.validation].sum() == 2 for fold in folds)
    assert all(not set(fold.training) & set(fold.validation) for fold in folds)


def test_more_folds_than_subjects_of_a_class_are_refused() -> None:
    with pytest.raises(StudyError, match="4 subjects of the smaller class"):
        stratified_folds(np.repeat([0, 1], [20, 4]), 5, seed=0)


def test_a_fold_is_scored_on_its_own_validation_images() -> None:
    random = np.random.default_rng(0)
    images = random.uniform(0.4, 0.6, (50, 8, 8)).astype(np.float32)
    labels = np.arange(40) % 2
    images[10:][labels == 1, :4, :4] -= 0.2
    data = Labelled(images, labels, np.arange(10, 50))
    config = CustomConfig(
        channels=(4,), strides=(1,), dense=(), dropout=0, learning_rate=0.01, optimizer_steps=60, evaluations=2
    )
    fold = stratified_folds(labels, 4, seed=0)[1]
    assert train_fold(data, fold, config, seed=0) > 0.9
    noise = data._replace(images=random.uniform(0.4, 0.6, (50, 8, 8)).astype(np.float32))
    assert train_fold(noise, fold, config, seed=0) < 0.9
