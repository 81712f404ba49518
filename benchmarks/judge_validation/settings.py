"""What is simulated, which arms are trained on it, and how the judge is asked."""

from typing import NamedTuple

from cohortsmith.config.classifier import MLPConfig
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.study import PhantomConfig

USEFUL = "useful"
USELESS = ("noise", "copies", "wrong labels", "collapsed")

# Perceptrons, as they are cheap; the last state is kept. The narrow one is fast, but its seeds differ so much that
# five of them hide what the useful generator gains.
NARROW = MLPConfig(hidden=(16,), learning_rate=3e-4, weight_decay=1e-2, optimizer_steps=100, evaluations=1)
WIDE = MLPConfig(hidden=(100,), learning_rate=1e-4, weight_decay=1e-2, optimizer_steps=200, evaluations=1)


class Settings(NamedTuple):
    """Numbers of subjects are per class.

    sizes: training subjects. doses: synthetic images of the useful generator; the others give the largest.
    tests: test subjects that are looked at, the largest drawn and the others its first ones.
    seeds: classifiers per arm, each with a draw of its own from the generator. cohorts: drawn anew from the pool, each
        with its own test subjects.
    """

    pool: int = 1500
    external_pool: int = 150
    sizes: tuple[int, ...] = (12, 25, 50, 100)
    doses: tuple[int, ...] = (100, 300)
    tests: tuple[int, ...] = (30, 100, 200)
    external: int = 100
    seeds: int = 10
    cohorts: int = 6
    voxel: float = 8.0
    phantom: PhantomConfig = PhantomConfig(seed=20_260)
    classifier: MLPConfig = WIDE
    judge: JudgeConfig = JudgeConfig()


FULL = Settings()
QUICK = Settings(
    pool=300,
    external_pool=40,
    sizes=(12,),
    doses=(100,),
    tests=(30, 100),
    external=40,
    seeds=3,
    cohorts=1,
    classifier=NARROW,
)


def count_validation(size: int) -> int:
    """Give a small cohort a small validation set: a quarter of its training set, at least 6 per class."""
    return max(6, size // 4)
