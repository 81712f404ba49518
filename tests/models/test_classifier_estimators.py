"""scikit-learn's classifiers learn from the same sources as the networks do."""

import numpy as np
import pytest
import torch

from cohortsmith.config.classifier import CustomConfig, read_classifier
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.classifier_batches import Labelled, source_of
from cohortsmith.models.classifier_estimators import build_estimator, estimate, fit_estimator
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


def test_a_network_is_no_estimator() -> None:
    with pytest.raises(ConfigurationError, match="custom"):
        build_estimator(CustomConfig(), 0)
