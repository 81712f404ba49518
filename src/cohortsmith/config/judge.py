"""The arms that say what the augmentation is worth."""

from typing import Any, Literal, NamedTuple

from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator

from cohortsmith.config.base import Config
from cohortsmith.config.classifier import ClassifierChoice

Arm = Literal[
    "real", "real+classic", "real+oversampling", "synthetic", "real+synthetic", "real+vae-prior", "random-labels"
]
"""What a classifier is trained on.

real+oversampling: copies of the real images, as many as there are synthetic ones, in the synthetic ones' place.
real+vae-prior: images that a plain VAE makes of draws from its prior, in the synthetic ones' place.
"""

Net = Literal["baseline", "optimised"]
"""The classifier of the configuration; and `judge.optimised`, or else the winner of a random search."""

Mixture = Literal["half", "concatenated"]
"""How real scans and others share the batches of an arm that has both."""

MIXED: tuple[Arm, ...] = ("real+classic", "real+oversampling", "real+synthetic", "real+vae-prior")
"""Arms whose networks see two kinds of scans."""

_DOSED: tuple[Arm, ...] = ("synthetic", "real+synthetic")
_COMPARED: tuple[Arm, ...] = ("real+oversampling", "real+vae-prior")


class NamedArm(NamedTuple):
    """An arm at one number of synthetic scans (or copies, or draws from a prior) per diagnosis; 0 where it has none."""

    name: str
    arm: Arm
    n_synthetic: int


class ClassicAugmentationConfig(Config):
    """Largest change that the classic arm makes to an image by MONAI; each is drawn uniformly up to it.

    probability: of each kind of change, for each image on its own: placement (rotation, shift and scaling together),
        flip, contrast, brightness, noise.
    rotation_degrees about each axis, one after another; shift_fraction of each side; scale_fraction around 1, for each
    axis on its own; contrast_fraction around 1; brightness in units of the [0, 1] intensity range.
    noise_sd: standard deviation of the noise, the same in every image that has any, in the same units.
    left_right_axis: the image axis that a flip mirrors (0 in RAS order); None never flips.
    """

    probability: float = Field(default=0.5, ge=0, le=1)
    rotation_degrees: NonNegativeFloat = 8.0
    shift_fraction: float = Field(default=0.03, ge=0, lt=0.5)
    scale_fraction: float = Field(default=0.05, ge=0, lt=0.5)
    contrast_fraction: float = Field(default=0.1, ge=0, lt=1)
    brightness: NonNegativeFloat = 0.05
    noise_sd: NonNegativeFloat = 0.02
    left_right_axis: Literal[0, 1, 2] | None = 0


class JudgeConfig(Config):
    """Which arms are trained, on whom, how often, and how many synthetic scans per class they see.

    training_sets: full, or sizes of split.train_subsets; empty: split.train_on alone.
    nets: optimised is the network below, or else the winner of a random search on the full training set
        (`random_search`).
    optimised: the network of that name, such as the published one (kind: optimized); none: search for it.
    n_seeds: runs of each arm. In cross-validation (split.folds) there is one per fold and repeat instead.
    n_synthetic: one number, or several: then `synthetic` and `real+synthetic` are trained once with each, and what
        they are compared with (oversampling, draws from a prior) with the largest.
    smallest_effect: the difference of balanced accuracy, in [0, 1], below which an effect does not matter.
    mixture: of real scans and others in a batch of an arm that has both. half: half of each, whatever their numbers;
        concatenated: drawn from both put together, as published: with 50 real and 10 000 synthetic scans per diagnosis
        0.5 % of what a network sees is real.
    draws: per_seed: every run of an arm has synthetic scans (and draws from a prior) of its own, so that intervals over
        seeds cover the draw; shared: all runs have the exported ones, as published. Scans that passed the screen are
        one set (`quarantine: exclude`), which all runs share. A fold has one run per arm, and one draw.
    quarantine: whether classifiers see the synthetic scans that the screen for copies flags (`report`: they are listed
        and marked only) or not (`exclude`).
    keep_weights: of the networks trained on real scans alone, which are tested on synthetic ones later (`real`), or of
        all that are trained from then on: an A2 network on images of 84 x 104 x 89 takes 8 MB.
    reference_columns: clinical columns (age, mmse, or one of study.columns.further); a logistic regression on each is
        the line that an image classifier has to pass.
    """

    arms: tuple[Arm, ...] = ("real", "real+classic", "synthetic", "real+synthetic", "random-labels")
    training_sets: tuple[Literal["full"] | PositiveInt, ...] = ()
    nets: tuple[Net, ...] = Field(default=("baseline",), min_length=1)
    optimised: ClassifierChoice | None = None
    n_seeds: PositiveInt = 5
    n_synthetic: PositiveInt | tuple[PositiveInt, ...] = 100
    first_seed: int = 0
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    bootstrap: int = Field(default=2000, ge=100)
    smallest_effect: float = Field(default=0.05, gt=0, lt=1)
    mixture: Mixture = "half"
    draws: Literal["per_seed", "shared"] = "per_seed"
    quarantine: Literal["report", "exclude"] = "report"
    keep_weights: Literal["real", "all"] = "real"
    classic: ClassicAugmentationConfig = ClassicAugmentationConfig()
    reference_columns: tuple[str, ...] = ()

    @field_validator("arms", "training_sets", "nets", "n_synthetic", "reference_columns")
    @classmethod
    def _name_each_once(cls, value: Any) -> Any:
        if isinstance(value, tuple) and len(set(value)) < len(value):
            raise ValueError("each may be named once")
        return value

    @field_validator("n_synthetic")
    @classmethod
    def _ask_for_some(cls, value: Any) -> Any:
        if value == ():
            raise ValueError("one number at least")
        return value

    @property
    def doses(self) -> tuple[int, ...]:
        """Give the numbers of synthetic scans per diagnosis, the smallest first."""
        return tuple(sorted(self.n_synthetic)) if isinstance(self.n_synthetic, tuple) else (self.n_synthetic,)

    @property
    def is_searched(self) -> bool:
        """Say whether the optimised network is to be searched for."""
        return "optimised" in self.nets and self.optimised is None

    @property
    def n_draws(self) -> int:
        """Give the number of draws from a training set's generators: the run with the i-th seed sees the i-th."""
        return self.n_seeds if self.has_own_draws else 1

    @property
    def has_own_draws(self) -> bool:
        """Say whether every run of an arm has synthetic scans of its own."""
        return self.draws == "per_seed" and self.quarantine == "report"

    @property
    def named_arms(self) -> tuple[NamedArm, ...]:
        """Give the arms in their order, those of several doses once for each: `real+synthetic-500`."""
        return tuple(named for arm in self.arms for named in self._at_its_doses(arm))

    @property
    def kept_arms(self) -> tuple[NamedArm, ...]:
        """Give the arms whose networks' weights are kept."""
        return tuple(named for named in self.named_arms if self.keep_weights == "all" or named.arm == "real")

    def _at_its_doses(self, arm: Arm) -> list[NamedArm]:
        if arm in _DOSED:
            several = len(self.doses) > 1
            return [NamedArm(f"{arm}-{dose}" if several else arm, arm, dose) for dose in self.doses]
        return [NamedArm(arm, arm, self.doses[-1] if arm in _COMPARED else 0)]
