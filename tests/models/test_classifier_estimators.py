"""scikit-learn's classifiers learn from the same sources as the networks do."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cohortsmith.config.classifier import CustomConfig, read_classifier
from cohortsmith.config.judge import ClassicAugmentationConfig
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.models.classifier_batches import BatchSource, Labelled, Training, arm_sources, source_of
from cohortsmith.models.classifier_estimators import READ_AT_ONCE, build_estimator, estimate, fit_estimator
from cohortsmith.models.classifier_training import ArmJob, run_arm

KINDS = {
    "random_forest": {"n_trees": 30},
    "k_nearest_neighbours": {"n_neighbours": 3},
    "support_vector_machine": {},
    "sklearn_mlp": {"hidden": [10], "learning_rate": 0.01},
}


def planted(n: int, seed: int) -> Labelled:
    """Noise, and in patients (every third image) a darker corner."""
    images = np.random.default_rng(seed).uniform(0.4, 0.6, (n, 8, 7)).astype(np.float32)
    labels = (np.arange(n) % 3 == 0).astype(np.int64)
    images[labels == 1, :4, :4] -= 0.2
    return Labelled(images, labels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arm", ["real", "real+classic", "real+synthetic"])
def test_every_kind_learns_a_planted_difference_and_predicts_every_test_image(kind, arm) -> None:
    config = read_classifier({"kind": kind, **KINDS[kind]})
    sets = {"real": planted(45, 0), "synthetic": planted(30, 1), "validation": planted(15, 2)}
    outcome = run_arm(ArmJob(arm, 0, **sets, tests={"test": planted(60, 3)}, config=config))
    called = outcome.probabilities["test"] >= 0.5
    assert np.mean(called == planted(60, 3).labels) > 0.85
    assert outcome.history[0].balanced_accuracy > 0.7
    assert outcome.fit is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_classifier(kind) -> None:
    config = read_classifier({"kind": kind, **KINDS[kind]})
    source, test = source_of(planted(30, 0)), source_of(planted(20, 1))
    one, same = (estimate(fit_estimator((source,), config, 4), test) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert ((one >= 0) & (one <= 1)).all()


def test_a_support_vector_machine_calls_a_patient_where_scikit_learn_does() -> None:
    source, test = source_of(planted(30, 0)), source_of(planted(40, 1))
    fitted = fit_estimator((source,), read_classifier({"kind": "support_vector_machine"}), 0)
    values = test.images(np.arange(40), torch.Generator()).flatten(1).numpy()
    np.testing.assert_array_equal(estimate(fitted, test) >= 0.5, fitted.estimator.predict(values) == 1)


def test_every_image_of_every_source_is_fitted_once() -> None:
    fitted = fit_estimator(
        (source_of(planted(21, 0)), source_of(planted(18, 1))), read_classifier({"kind": "k_nearest_neighbours"}), 0
    )
    assert fitted.estimator.n_samples_fit_ == 39


@pytest.mark.parametrize("arm", ["real", "real+classic", "real+oversampling", "synthetic", "real+synthetic"])
def test_an_arm_is_fitted_to_its_originals_and_as_many_more_as_it_adds(arm) -> None:
    sources = arm_sources(arm, Training(planted(21, 0), planted(30, 1)), ClassicAugmentationConfig(), 0)
    fitted = fit_estimator(sources, read_classifier({"kind": "k_nearest_neighbours"}), 0)
    expected = {"real": 21, "synthetic": 30}.get(arm, 51)
    assert fitted.estimator.n_samples_fit_ == expected


def test_without_synthetic_images_classic_augmentation_doubles_the_originals() -> None:
    sources = arm_sources("real+classic", Training(planted(21, 0)), ClassicAugmentationConfig(), 0)
    fitted = fit_estimator(sources, read_classifier({"kind": "k_nearest_neighbours"}), 0)
    originals = planted(21, 0).images.reshape(21, -1)
    found = fitted.estimator._fit_X
    assert len(found) == 42
    np.testing.assert_array_equal(found[:21], originals)
    unaltered = (found[21:, None] == originals).all(axis=2).any(axis=1)
    assert unaltered.mean() < 0.5


@pytest.mark.parametrize(("kind", "bytes_per_value"), [("random_forest", 4), ("support_vector_machine", 12)])
def test_what_does_not_fit_into_half_the_free_memory_is_refused_before_it_is_read(
    kind, bytes_per_value, monkeypatch
) -> None:
    config, read = read_classifier({"kind": kind}), []
    stored = source_of(planted(30, 0))
    source = BatchSource(stored.labels, lambda rows, drawn: read.append(len(rows)) or stored.images(rows, drawn))
    needed = 2 * bytes_per_value * 30 * 8 * 7
    free_memory(monkeypatch, needed)
    fit_estimator((source,), config, 0)
    read.clear()
    free_memory(monkeypatch, needed - 1)
    with pytest.raises(StudyError, match="do not fit into memory") as refused:
        fit_estimator((source,), config, 0)
    assert read == [1]
    assert kind in str(refused.value)
    assert "30 images of 56 voxels" in str(refused.value)
    assert "50%" in str(refused.value)
    assert "judge.n_synthetic" in str(refused.value)


def free_memory(monkeypatch, size: int) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=size))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_all_images_at_once_though_few_are_read_together(kind) -> None:
    fitted = fit_estimator((source_of(planted(30, 0)),), read_classifier({"kind": kind, **KINDS[kind]}), 0)
    stored, read = source_of(planted(40, 1)), []
    source = BatchSource(stored.labels, lambda rows, drawn: read.append(len(rows)) or stored.images(rows, drawn))
    found = estimate(fitted, source)
    alone = np.concatenate([estimate(fitted, source_of(one)) for one in singles(planted(40, 1))])
    np.testing.assert_allclose(found, alone, atol=1e-6)
    assert read == [READ_AT_ONCE, READ_AT_ONCE, 40 - 2 * READ_AT_ONCE]


def singles(data: Labelled) -> list[Labelled]:
    return [Labelled(data.images[k : k + 1], data.labels[k : k + 1]) for k in range(len(data.labels))]


def test_a_network_is_no_estimator() -> None:
    with pytest.raises(ConfigurationError, match="custom"):
        build_estimator(CustomConfig(), 0)
