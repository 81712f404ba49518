"""Who is in the phantom study.

Source of the numbers: table 1.5 of Chadebec's thesis (2023), ADNI for the training study and AIBL for the external.
"""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from cohortsmith.config.study import PhantomConfig

Study = Literal["training", "external"]
STREAMS = {"training": 0, "external": 1}
SITES = {"training": ("S01", "S02", "S03", "S04", "S05"), "external": ("X01", "X02")}


class Demographics(NamedTuple):
    """Mean and standard deviation of age (years) and MMSE, share of men, of one diagnosis in one study."""

    age: tuple[float, float]
    men: float
    mmse: tuple[float, float]


TABLE_1_5 = {
    ("training", "CN"): Demographics((73.3, 6.0), 185 / 403, (29.1, 1.1)),
    ("training", "AD"): Demographics((74.9, 7.9), 202 / 362, (23.1, 2.1)),
    ("external", "CN"): Demographics((73.0, 6.2), 183 / 429, (28.8, 1.2)),
    ("external", "AD"): Demographics((74.4, 8.0), 33 / 76, (20.6, 5.5)),
}


def draw_cohort(config: PhantomConfig, study: Study) -> pd.DataFrame:
    """Draw one row per subject: subject, diagnosis, age (years), sex, site and mmse.

    Diagnoses are balanced and neither the order of the rows nor the names of the subjects tell them.
    """
    size = number_of_subjects(config, study)
    rng = np.random.default_rng([config.seed, STREAMS[study]])
    diagnoses = rng.permutation(np.resize(["CN", "AD"], size))
    names = [f"{'P' if study == 'training' else 'X'}{number:04d}" for number in range(1, size + 1)]
    people = [_draw_person(rng, TABLE_1_5[study, label], SITES[study]) for label in diagnoses]
    return pd.DataFrame(
        {
            "subject": names,
            "diagnosis": diagnoses,
            "age": [person[0] for person in people],
            "sex": [person[1] for person in people],
            "site": [person[2] for person in people],
            "mmse": [person[3] for person in people],
        }
    )


def number_of_subjects(config: PhantomConfig, study: Study) -> int:
    """Return how many subjects the study has."""
    return config.n_subjects if study == "training" else config.n_external


def subject_stream(config: PhantomConfig, study: Study, index: int, purpose: int) -> np.random.Generator:
    """Return the random stream of one subject for one purpose: scans can be made in any order, anywhere."""
    return np.random.default_rng([config.seed, STREAMS[study], index, purpose])


def _draw_person(rng: np.random.Generator, group: Demographics, sites: tuple[str, ...]) -> tuple[float, str, str, int]:
    age = float(np.clip(rng.normal(*group.age), 55, 96))
    sex = "M" if rng.random() < group.men else "F"
    return round(age, 1), sex, str(rng.choice(sites)), _draw_mmse(rng, *group.mmse)


def _draw_mmse(rng: np.random.Generator, mean: float, sd: float) -> int:
    """Draw points lost as a rounded gamma variable: skewed, and 30 is never passed."""
    lost = 30 - mean
    return int(max(0, 30 - round(rng.gamma((lost / sd) ** 2, sd**2 / lost))))
