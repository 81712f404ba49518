"""Which trainings came to nothing."""

from math import isclose, log

import pytest

from cohortsmith.evaluation.failed_trainings import chosen_loss, find_failed_trainings


def run(losses: tuple[float, ...] = (0.7, 0.4), best: int = 1, arm: str = "real", **more) -> dict:
    history = [{"step": 10 * place, "loss": loss, "balanced_accuracy": 0.5} for place, loss in enumerate(losses)]
    about = {"training_set": "train-full", "net": "baseline", "arm": arm, "seed": 3, "fold": None}
    return {**about, "history": history, "best_step": 10 * best, **more}


def failures(*runs: dict) -> list[str]:
    return find_failed_trainings(runs)["what"].tolist()


def test_a_network_whose_kept_state_still_guesses_hardly_learned():
    found = find_failed_trainings([run(), run(best=0), run(losses=(0.7, 0.66, 0.3), best=1, arm="synthetic")])

    assert found["arm"].tolist() == ["real", "synthetic"]
    assert found["step"].tolist() == [0, 10]
    assert found["loss"].tolist() == [0.7, 0.66]


@pytest.mark.parametrize(("share", "is_failed"), [(0.949, False), (0.951, True)])
def test_the_bound_is_95_percent_of_a_coins_cross_entropy(share, is_failed):
    assert bool(failures(run(losses=(share * log(2),), best=0))) is is_failed


def test_what_is_learned_later_than_the_kept_state_does_not_count():
    assert failures(run(losses=(0.69, 0.1), best=0)) == ["hardly learned"]


def test_networks_of_random_labels_need_not_learn_but_must_not_diverge():
    random = run(losses=(0.7,), best=0, arm="random-labels")
    about = {name: random[name] for name in ("training_set", "net", "arm", "seed", "fold")}

    assert failures(random) == []
    assert failures({**about, "diverged": "the loss stopped being a number"}) == ["diverged"]


def test_a_classifier_without_steps_cannot_fail_so():
    without = run(losses=(), best=0)

    assert failures(without) == [] and chosen_loss(without) is None
    assert isclose(chosen_loss(run()), 0.4)


def test_a_table_of_no_failures_has_its_columns():
    assert list(find_failed_trainings([run()]).columns) == [
        *("training_set", "net", "arm", "seed", "fold", "what", "step", "loss")
    ]
