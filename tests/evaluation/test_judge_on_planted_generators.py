"""The judge before generators of known worth: the useful one helps, the useless ones do not. In full: docs/validation.md."""

import numpy as np
import pytest
from benchmarks.judge_validation.cohorts import Pool, Pools, StudyRows, draw_study
from benchmarks.judge_validation.jobs import GENERATORS, SHARED, WITH_SYNTHETIC, Cell, job_of
from benchmarks.judge_validation.planted import plant
from benchmarks.judge_validation.settings import FULL, USELESS
from benchmarks.judge_validation.verdicts import collect, judge_study

from cohortsmith.config.classifier import MLPConfig
from cohortsmith.evaluation.verdict import BROKEN, HELPS
from cohortsmith.models.classifier_training import run_arm

pytestmark = [pytest.mark.slow, pytest.mark.statistical]

SHAPE, DOSE, N_TEST = (6, 7, 6), 200, 200
PERCEPTRON = MLPConfig(hidden=(32,), learning_rate=1e-3, optimizer_steps=200, evaluations=1)
SETTINGS = FULL._replace(sizes=(12,), doses=(DOSE,), tests=(N_TEST,), external=N_TEST, seeds=4, classifier=PERCEPTRON)
SETTINGS = SETTINGS._replace(judge=SETTINGS.judge.model_copy(update={"bootstrap": 500}))


def draw_pool(random: np.random.Generator, n: int, noise: float) -> Pool:
    """Noise around a faint pattern that patients have, in no voxel visible by itself."""
    labels = np.arange(n) % 2
    pattern = np.sign(np.random.default_rng(1).normal(size=SHAPE))
    images = 0.5 + 0.012 * pattern * (2 * labels - 1).reshape(-1, 1, 1, 1) + noise * random.normal(size=(n, *SHAPE))
    return Pool(images.astype(np.float32), labels)


@pytest.fixture(scope="module")
def pools() -> Pools:
    random = np.random.default_rng(0)
    return Pools(draw_pool(random, 900, 0.15), draw_pool(random, 2 * N_TEST, 0.17))


@pytest.fixture(scope="module")
def study(pools) -> StudyRows:
    return draw_study(SETTINGS, pools, cohort=0, size=12)


@pytest.fixture(scope="module")
def verdicts(pools, study) -> dict[str, dict[tuple[str, str], str]]:
    def train(generator, arms):
        cells = [Cell(0, 12, generator, DOSE, arm, seed) for arm in arms for seed in range(SETTINGS.seeds)]
        return {(one.arm, one.seed): run_arm(job_of(SETTINGS, pools, study, one)).probabilities for one in cells}

    shared = train("", SHARED)
    judged = {}
    for generator in GENERATORS:
        predictions = collect(SETTINGS, pools, study, shared | train(generator, WITH_SYNTHETIC))
        table = judge_study(SETTINGS, predictions, np.random.default_rng(0))
        judged[generator] = {(row.test_set, row.arm): row.word for row in table.itertuples()}
    return judged


@pytest.mark.parametrize("test_set", [f"test-{N_TEST}", "external"])
@pytest.mark.parametrize("arm", WITH_SYNTHETIC)
def test_a_generator_that_draws_new_subjects_helps(verdicts, test_set, arm):
    assert verdicts["useful"][test_set, arm] == HELPS


@pytest.mark.parametrize("generator", USELESS)
def test_noise_copies_wrong_labels_and_a_collapsed_generator_do_not_help(verdicts, generator):
    assert HELPS not in verdicts[generator].values()


def test_classifiers_of_random_labels_are_at_chance(verdicts):
    assert BROKEN not in {word for words in verdicts.values() for word in words.values()}


def test_no_subject_of_a_study_has_two_parts_in_it(study):
    own = np.concatenate([study.train, study.validation, study.test, study.new])

    assert len(own) == len(set(own))


def test_every_planted_generator_gives_as_many_images_of_each_class(pools, study):
    for generator in GENERATORS:
        made = plant(generator, 30, pools.own, study, np.random.default_rng(0))
        assert np.bincount(made.labels).tolist() == [30, 30]


def test_every_seed_has_a_draw_of_its_own_from_the_strangers(pools, study):
    cells = [Cell(0, 12, "useful", dose, arm, seed) for seed in (0, 1) for arm in WITH_SYNTHETIC for dose in (20, 30)]
    drawn = {
        (cell.seed, cell.arm, cell.dose): job_of(SETTINGS, pools, study, cell).synthetic.rows.tolist() for cell in cells
    }

    assert drawn[0, "synthetic", 30] == drawn[0, "real+synthetic", 30] != drawn[1, "synthetic", 30]
    assert drawn[0, "synthetic", 30][:40] == drawn[0, "synthetic", 20]
    assert all(set(rows) <= set(study.new) and len(set(rows)) == len(rows) for rows in drawn.values())


def test_copies_are_of_training_subjects_with_their_own_labels(pools, study):
    made = plant("copies", 30, pools.own, study, np.random.default_rng(0))

    assert set(made.rows) <= set(study.train)
    assert (made.labels == pools.own.labels[made.rows]).all()
