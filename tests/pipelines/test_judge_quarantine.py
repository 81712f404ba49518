"""Which synthetic scans the classifiers see."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.errors import StudyError
from cohortsmith.pipelines.judge.nodes import pool_synthetic_images


def table(*flagged: float | bool) -> pd.DataFrame:
    return pd.DataFrame({"key": [f"sub-syn{i:05d}" for i in range(len(flagged))], "flagged": flagged})


CONTROLS, PATIENTS = np.arange(4.0).reshape(4, 1), np.arange(10.0, 14.0).reshape(4, 1)
MADE = (CONTROLS, table(True, False, False, False), PATIENTS, table(False, True, True, False))


def pooled(*made, **judge) -> list[float]:
    return [float(image[0]) for image in pool_synthetic_images(JudgeConfig(**judge), *made)]


def test_flagged_scans_are_judged_by_default():
    assert pooled(*MADE, n_synthetic=3) == [0, 1, 2, 10, 11, 12]


def test_exclusion_leaves_as_many_of_every_label_as_the_fewest():
    assert pooled(*MADE, quarantine="exclude") == [1, 2, 10, 13]


def test_exclusion_still_takes_no_more_than_asked_for():
    assert pooled(*MADE, quarantine="exclude", n_synthetic=1) == [1, 10]


@pytest.mark.parametrize("flagged", [True, np.nan], ids=["all flagged", "not screened"])
def test_a_label_with_nothing_left_is_refused(flagged):
    with pytest.raises(StudyError, match="0 of 2") as refusal:
        pooled(CONTROLS, MADE[1], PATIENTS, table(flagged, flagged), quarantine="exclude")

    assert "judge.quarantine: report" in refusal.value.remedy
