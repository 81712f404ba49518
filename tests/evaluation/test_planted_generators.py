"""A generator that copies and one that has collapsed are each caught by name; an honest one is not.

Heads are smooth blobs whose size, core and texture vary; 60 train the generator, 40 are held out.
"""

from typing import NamedTuple

import numpy as np
import pytest
from scipy import ndimage

from cohortsmith.evaluation.copying import list_quarantine, screen_copies
from cohortsmith.evaluation.diversity import compare_diversity
from cohortsmith.evaluation.feature_space import fit_feature_space, project
from cohortsmith.evaluation.maximum_mean_discrepancy import measure_discrepancy
from cohortsmith.evaluation.membership_inference import RealPoints, attack_membership, compare_nearest
from cohortsmith.evaluation.precision_recall import measure_overlap

SHAPE = (24, 28, 22)
N_SYNTHETIC = 80


class Planted(NamedTuple):
    training: np.ndarray
    held_out: np.ndarray
    by_kind: dict[str, np.ndarray]


def draw_heads(random: np.random.Generator, n: int) -> np.ndarray:
    axes = np.meshgrid(*[np.linspace(-1.1, 1.1, side) for side in SHAPE], indexing="ij")
    heads = []
    for _ in range(n):
        radius = np.sqrt(sum((axis / random.uniform(0.8, 1.05)) ** 2 for axis in axes))
        core = radius < random.uniform(0.15, 0.4)
        texture = ndimage.gaussian_filter(random.normal(size=SHAPE), 1.5)
        image = (radius < 0.95) * (random.uniform(0.55, 0.75) + texture) * np.where(core, 0.3, 1.0)
        heads.append(ndimage.gaussian_filter(image, 0.7))
    return np.clip(heads, 0, 1).astype(np.float32)


def add_noise(random: np.random.Generator, images: np.ndarray) -> np.ndarray:
    return np.clip(images + 0.02 * random.normal(size=images.shape), 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def planted() -> Planted:
    random = np.random.default_rng(0)
    training, held_out, honest = (draw_heads(random, n) for n in (60, 40, N_SYNTHETIC))
    copies = add_noise(random, training[random.integers(0, 60, N_SYNTHETIC)])
    collapsed = add_noise(random, np.repeat(draw_heads(random, 1), N_SYNTHETIC, axis=0))
    return Planted(training, held_out, {"honest": honest, "copying": copies, "collapsed": collapsed})


def name(prefix: str, n: int) -> np.ndarray:
    return np.array([f"sub-{prefix}{i}" for i in range(n)])


def screen(planted: Planted, kind: str):
    return screen_copies(planted.by_kind[kind], planted.training, planted.held_out, list(name("t", 60)))


def attack(planted: Planted, kind: str):
    training, held_out = RealPoints(planted.training, name("t", 60)), RealPoints(planted.held_out, name("h", 40))
    return attack_membership(planted.by_kind[kind], training, held_out)


def features(planted: Planted, kind: str) -> tuple[np.ndarray, np.ndarray]:
    space = fit_feature_space(planted.training, 20)
    return project(space, planted.held_out), project(space, planted.by_kind[kind])


@pytest.mark.parametrize(("kind", "share"), [("copying", 1.0), ("honest", 0.05)])
def test_only_copies_are_flagged(planted: Planted, kind: str, share: float) -> None:
    assert screen(planted, kind).flagged_share == pytest.approx(share, abs=0.08)


def test_every_copy_is_in_quarantine_with_its_source(planted: Planted) -> None:
    listed = list_quarantine(screen(planted, "copying"), name("syn", N_SYNTHETIC))
    assert set(listed["key"]) == set(name("syn", N_SYNTHETIC))
    sources = planted.training[[int(subject.removeprefix("sub-t")) for subject in listed["nearest_subject"]]]
    made = planted.by_kind["copying"][[int(key.removeprefix("sub-syn")) for key in listed["key"]]]
    assert np.abs(made - sources).mean() < 0.02


@pytest.mark.parametrize(("kind", "succeeds"), [("copying", True), ("honest", False), ("collapsed", False)])
def test_membership_is_told_from_copies_alone(planted: Planted, kind: str, succeeds: bool) -> None:
    found = attack(planted, kind)
    assert found.succeeds is succeeds, found.sentence()


def test_copies_give_nearly_everybody_away(planted: Planted) -> None:
    # about 1 - exp(-80 / 60) of the 60 have a copy
    assert attack(planted, "copying").auc > 0.8


def test_copies_hidden_by_blur_are_told_from_reconstructions_and_not_from_images(planted: Planted) -> None:
    random = np.random.default_rng(1)
    blurred = [ndimage.gaussian_filter(images, (0, 2, 2, 2)) for images in planted[:2]]
    made = blurred[0][random.integers(0, 60, N_SYNTHETIC)]
    names = name("t", 60), name("h", 40)
    in_images, in_reconstructions = (
        attack_membership(made, *(RealPoints(*side) for side in zip(real, names, strict=True)), space)
        for real, space in ((planted[:2], "images"), (blurred, "reconstructions"))
    )
    assert in_images.auc < 0.75
    assert in_reconstructions.low > 0.7


@pytest.mark.parametrize(("kind", "significant"), [("copying", True), ("honest", False)])
def test_only_copies_lie_closer_to_training_subjects(planted: Planted, kind: str, significant: bool) -> None:
    training, held_out = RealPoints(planted.training, name("t", 60)), RealPoints(planted.held_out, name("h", 40))
    found = compare_nearest(planted.by_kind[kind], training, held_out, np.random.default_rng(0))
    assert (found.p_value < 0.01) is significant, found.sentence()


@pytest.mark.parametrize(("kind", "covered"), [("honest", True), ("collapsed", False)])
def test_a_collapsed_generator_covers_and_recalls_little(planted: Planted, kind: str, covered: bool) -> None:
    found = measure_overlap(*features(planted, kind))
    assert (found.coverage > found.expected_coverage - 0.15) is covered, found.sentence()
    assert (found.recall > 0.5) is covered, found.sentence()


@pytest.mark.parametrize(("kind", "less"), [("honest", False), ("copying", False), ("collapsed", True)])
def test_a_collapsed_generator_is_less_diverse(planted: Planted, kind: str, less: bool) -> None:
    found = compare_diversity(planted.by_kind[kind], planted.held_out, np.random.default_rng(0), 150)
    assert (found.low > 0) is less, found.sentence()


@pytest.mark.parametrize(("kind", "differs"), [("honest", False), ("collapsed", True)])
def test_the_two_sample_test_tells_a_collapsed_generator_from_real_images(
    planted: Planted, kind: str, differs: bool
) -> None:
    found = measure_discrepancy(*features(planted, kind), np.random.default_rng(0), 199)
    assert (found.p_value < 0.01) is differs
