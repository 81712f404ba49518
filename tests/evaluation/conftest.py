"""Predictions with a known share of right calls, as the tests of scores and verdicts need them."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def predict_arm() -> Callable[..., pd.DataFrame]:
    """Half controls, half patients; every call is right with probability `accuracy`, independently."""

    def predict(
        arm: str,
        accuracy: float,
        random: np.random.Generator,
        *,
        n_seeds: int = 5,
        n_subjects: int = 80,
        test_set: str = "test",
    ) -> pd.DataFrame:
        seeds, subjects = (grid.ravel() for grid in np.meshgrid(range(n_seeds), range(n_subjects), indexing="ij"))
        labels = subjects % 2
        right = random.random(len(labels)) < accuracy
        return pd.DataFrame(
            {
                "arm": arm,
                "seed": seeds,
                "test_set": test_set,
                "participant_id": [f"sub-{i}" for i in subjects],
                "label": labels,
                "probability": np.where(right == (labels == 1), 0.8, 0.2),
            }
        )

    return predict
