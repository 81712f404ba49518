"""Generators whose worth is known: one that knows the truth, and four that add nothing."""

import numpy as np

from benchmarks.judge_validation.cohorts import Pool, StudyRows
from cohortsmith.models.classifier_batches import Labelled


def plant(generator: str, dose: int, pool: Pool, study: StudyRows, random: np.random.Generator) -> Labelled:
    """Let a planted generator draw `dose` images of each class, labels alternating.

    random: of the draw; with the same state a larger dose begins with a smaller one.
    """
    strangers = _draw(study.new, dose, random)
    labels = pool.labels[strangers]
    match generator:
        case "useful":
            return Labelled(pool.images, labels, strangers)
        case "wrong labels":
            return Labelled(pool.images, random.permutation(labels), strangers)
        case "collapsed":
            return Labelled(pool.images, labels, np.resize(study.new[:2], 2 * dose))
        case "copies":
            rows = [random.choice(study.train[pool.labels[study.train] == label], dose) for label in (0, 1)]
            copied = np.stack(rows, axis=1).ravel()
            return Labelled(pool.images, pool.labels[copied], copied)
        case "noise":
            return Labelled(random.random((2 * dose, *pool.images.shape[1:]), dtype=np.float32), labels)
    raise ValueError(generator)


def _draw(alternating: np.ndarray, dose: int, random: np.random.Generator) -> np.ndarray:
    """Draw `dose` of each class' rows without replacement; they alternate before and after."""
    pairs = alternating.reshape(-1, 2)
    return np.stack([random.permutation(pairs[:, label])[:dose] for label in (0, 1)], axis=1).ravel()
