"""Training is repeatable, learns a planted difference, and stays at chance where there is none to learn."""

import pickle

import numpy as np
import pytest
import torch

from cohortsmith.config.classifier import CustomConfig, NeuralNetworkConfig
from cohortsmith.errors import TrainingError
from cohortsmith.models import classifier_training
from cohortsmith.models.classifier_batches import BatchSource, Labelled, source_of
from cohortsmith.models.classifier_training import ArmJob, Evaluation, best_step, predict, run_arm, train_classifier

CONFIG = CustomConfig(
    channels=(4, 8),
    strides=(1, 1),
    dense=(8,),
    learning_rate=0.01,
    batch_size=16,
    optimizer_steps=80,
    evaluations=4,
)


def planted(n: int, seed: int, strength: float = 0.8) -> Labelled:
    """Noise, and in patients (every second image) a darker corner."""
    random = np.random.default_rng(seed)
    images = random.uniform(0.4, 0.6, (n, 10, 9)).astype(np.float32)
    labels = np.arange(n) % 2
    images[labels == 1, :4, :4] -= strength * 0.3
    return Labelled(images, labels)


def job(arm: str = "real", seed: int = 0, **changed) -> ArmJob:
    sets = {"real": planted(40, 0), "synthetic": planted(30, 1), "prior": planted(30, 5), "validation": planted(12, 2)}
    return ArmJob(
        arm, seed, **(sets | changed), tests={"test": planted(60, 3), "external": planted(20, 4)}, config=CONFIG
    )


def accuracy(probabilities: np.ndarray) -> float:
    return float(np.mean((probabilities >= 0.5) == (np.arange(len(probabilities)) % 2 == 1)))


ARMS = ["real", "real+classic", "real+oversampling", "synthetic", "real+synthetic", "real+vae-prior"]


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_learns_a_planted_difference(arm: str) -> None:
    outcome = run_arm(job(arm))
    assert {name: len(p) for name, p in outcome.probabilities.items()} == {"test": 60, "external": 20}
    assert accuracy(outcome.probabilities["test"]) > 0.9


@pytest.mark.parametrize("arm", ["real", "real+synthetic"])
def test_the_mixture_changes_only_what_has_two_kinds_of_images(arm: str) -> None:
    half, together = (run_arm(job(arm)._replace(mixture=mixture)) for mixture in ("half", "concatenated"))

    same = np.array_equal(half.probabilities["test"], together.probabilities["test"])
    assert same is (arm == "real")
    assert accuracy(together.probabilities["test"]) > 0.9


@pytest.mark.statistical
def test_random_labels_leave_the_test_at_chance_however_strong_the_difference() -> None:
    found = [accuracy(run_arm(job("random-labels", seed)).probabilities["test"]) for seed in range(12)]
    assert np.mean(found) == pytest.approx(0.5, abs=3 * np.std(found, ddof=1) / np.sqrt(12))
    assert np.mean(found) < 0.75


def test_only_the_random_label_arm_validates_on_permuted_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    validated = {}

    def train(sample_batch, validation: BatchSource, config: NeuralNetworkConfig, seed: int):
        validated[seed] = validation.labels.tolist()
        return train_classifier(sample_batch, validation, config, seed)

    monkeypatch.setattr(classifier_training, "train_classifier", train)
    outcomes = [run_arm(job("random-labels", 1)), run_arm(job("real", 2))]
    truth = planted(12, 2).labels.tolist()
    assert len(outcomes) == 2
    assert validated[2] == truth != validated[1]
    assert sorted(validated[1]) == sorted(truth)


def test_the_same_seed_gives_the_same_classifier_and_another_seed_another() -> None:
    one, same, other = (run_arm(job("real+classic", seed)).probabilities["test"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_training_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    run_arm(job("real+classic"))
    assert torch.equal(before, torch.get_rng_state())


def test_arms_of_the_same_seed_start_from_the_same_network() -> None:
    frozen = CONFIG.model_copy(update={"learning_rate": 1e-30, "optimizer_steps": 1, "evaluations": 1})
    one, other = (run_arm(job(arm)._replace(config=frozen)).fit.state for arm in ("real", "synthetic"))
    torch.testing.assert_close(one["head.0.weight"], other["head.0.weight"])


def test_a_job_and_its_outcome_travel_to_a_worker_process_and_back() -> None:
    outcome = pickle.loads(pickle.dumps(run_arm(pickle.loads(pickle.dumps(job())))))
    np.testing.assert_array_equal(outcome.probabilities["test"], run_arm(job()).probabilities["test"])


def test_the_evaluations_are_evenly_spaced_and_end_at_the_last_step() -> None:
    steps = [looked.step for looked in run_arm(job()).fit.history]
    assert steps == [20, 40, 60, 80]


def test_exactly_the_configured_number_of_batches_is_drawn() -> None:
    drawn = []

    def sample_batch(generator: torch.Generator):
        drawn.append(1)
        return torch.rand(4, 1, 10, 9, generator=generator), torch.tensor([0, 0, 1, 1])

    train_classifier(sample_batch, source_of(planted(8, 0)), CONFIG.model_copy(update={"optimizer_steps": 11}), 0)
    assert len(drawn) == 11


def test_the_best_validation_wins_and_the_earliest_of_equals() -> None:
    values = [0.5, 0.7, 0.6, 0.7]
    assert best_step([Evaluation(10 * (k + 1), 0.1, value) for k, value in enumerate(values)]) == 20


def test_the_kept_state_is_that_of_the_best_step() -> None:
    outcome = run_arm(job(validation=planted(60, 5, strength=0.3)))
    best = {looked.step: looked.balanced_accuracy for looked in outcome.fit.history}[outcome.fit.best_step]
    validation = planted(60, 5, strength=0.3)
    assert accuracy(predict(outcome.fit, source_of(validation))) == pytest.approx(best)
    assert len({looked.balanced_accuracy for looked in outcome.fit.history}) > 1


def test_predictions_do_not_depend_on_the_batch_size() -> None:
    fit = run_arm(job()).fit
    np.testing.assert_allclose(
        predict(fit, source_of(planted(13, 9)), 1), predict(fit, source_of(planted(13, 9)), 5), atol=1e-6
    )


def test_three_dimensional_scans_are_learned_as_well() -> None:
    random = np.random.default_rng(0)
    images = random.uniform(0.4, 0.6, (40, 6, 7, 8)).astype(np.float32)
    labels = np.arange(40) % 2
    images[labels == 1, :3, :3, :3] -= 0.3
    data = Labelled(images, labels)
    outcome = run_arm(ArmJob("real+classic", 0, data, None, data, {"test": data}, CONFIG))
    assert accuracy(outcome.probabilities["test"]) > 0.9


def test_images_with_nan_stop_the_training_with_advice() -> None:
    broken = planted(8, 0)
    broken.images[:] = np.nan
    with pytest.raises(TrainingError, match="not a number"):
        run_arm(job(real=broken))
