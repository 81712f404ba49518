"""How the subjects of a cohort are shared out."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from cohortsmith.config.base import Config

Matched = Literal["age", "sex", "site"]


class SplitConfig(Config):
    """Subject-level split within each diagnosis, after Chadebec et al. (TPAMI 2022), section 4.

    test: subjects per diagnosis; below 1 a share of them, rounded down.
    validation: the same, of the subjects that the test set leaves.
    train_subsets: sizes per diagnosis of smaller training sets, each drawn from the next larger one.
    train_on: the training set that this run learns from: full, or one of the sizes.
    match: what the sets shall be alike in, as far as it is known.
    candidates: random draws compared for each set. target_p: the p-value that every comparison should reach.
    folds: of cross-validation, none if 0. fold_subjects: all, or those of the full training set.
    """

    test: float = Field(0.2, ge=0)
    validation: float = Field(0.2, ge=0)
    train_subsets: tuple[PositiveInt, ...] = ()
    train_on: Literal["full"] | PositiveInt = "full"
    match: tuple[Matched, ...] = ("age", "sex", "site")
    candidates: PositiveInt = 1000
    target_p: float = Field(0.8, gt=0, le=1)
    minimum_per_class: PositiveInt = 5
    folds: int = Field(0, ge=0)
    repeats: PositiveInt = 1
    fold_subjects: Literal["train", "all"] = "train"
    seed: int = Field(7, ge=0)

    @field_validator("test", "validation")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value >= 1 and value != int(value):
            raise ValueError("a whole number of subjects per diagnosis, or a share below 1")
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.folds == 1:
            raise ValueError("folds must be 0 (no cross-validation) or at least 2")
        if self.train_on != "full" and self.train_on not in self.train_subsets:
            raise ValueError("train_on must be full or one of train_subsets")
        return self
