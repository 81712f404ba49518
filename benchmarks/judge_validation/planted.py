"""Generators whose worth is known: one that knows the truth, and four that add nothing."""

import numpy as np

from benchmarks.judge_validation.cohorts import Pool, StudyRows
from cohortsmith.models.classifier_batches import Labelled


def plant(generator: str, dose: int, pool: Pool, study: StudyRows, random: np.random.Generator) -> Labelled:
    """Let a planted generator give `dose` images of each class, labels alternating."""
    new = study.new[: 2 * dose]
    labels = pool.labels[new]
    match generator:
        case "useful":
            return Labelled(pool.images, labels, new)
        case "wrong labels":
            return Labelled(pool.images, random.permutation(labels), new)
        case "collapsed":
            return Labelled(pool.images, labels, np.resize(new[:2], 2 * dose))
        case "copies":
            rows = [random.choice(study.train[pool.labels[study.train] == label], dose) for label in (0, 1)]
            copied = np.stack(rows, axis=1).ravel()
            return Labelled(pool.images, pool.labels[copied], copied)
        case "noise":
            return Labelled(random.random((2 * dose, *pool.images.shape[1:]), dtype=np.float32), labels)
    raise ValueError(generator)
