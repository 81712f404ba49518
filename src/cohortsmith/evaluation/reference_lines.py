"""What one clinical number alone tells: a line that a classifier of images has to pass."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cohortsmith.evaluation.partitions import splits_of
from cohortsmith.evaluation.settings import EXTERNAL

NET = "logistic regression"
TEST = "test"
N_CLASSES = 2


def predict_from_columns(
    splits: pd.DataFrame, partitions: pd.DataFrame, columns: Sequence[str], labels: tuple[str, str]
) -> pd.DataFrame:
    """Fit a logistic regression on each column to every partition's training scans, and predict its test scans.

    Classes weigh the same. Scans without the number are left out. A run needs both classes on either side: a training
    set, a repeat with all its folds pooled, or a fold on the external study. One that a class of the training scans
    (in a repeat: of any fold's), or of the test set, knows nothing of gives no rows. Predictions are those of
    `evaluation/settings.py`, with the column's name as arm.
    """
    parts = [
        part
        for _, rows in partitions.groupby("partition", sort=False)
        for part in _predict(splits, rows, columns, labels)
    ]
    return _whole_runs(pd.concat(parts, ignore_index=True)) if parts else pd.DataFrame()


def _predict(
    splits: pd.DataFrame, partition: pd.DataFrame, columns: Sequence[str], labels: tuple[str, str]
) -> Iterator[pd.DataFrame]:
    scans = splits_of(splits, partition)
    scans = scans.assign(label=(scans["diagnosis"] == labels[1]).astype(int))
    first = partition.iloc[0]
    about = {"training_set": first["training_set"], "net": NET, "fold": first["fold"]}
    for column in columns:
        known = scans.assign(number=pd.to_numeric(scans[column], errors="coerce")).dropna(subset="number")
        train = known[known["split"] == "train"]
        tested = known[known["split"].isin([TEST, EXTERNAL])]
        if len(tested):
            names = {**about, "arm": column, "seed": 0 if pd.isna(first["repeat"]) else int(first["repeat"])}
            kept = tested[["participant_id", "label"]].assign(**names, test_set=tested["split"])
            yield kept.assign(probability=_fit_and_predict(train, tested))


def _fit_and_predict(train: pd.DataFrame, tested: pd.DataFrame) -> NDArray[np.float64]:
    """Give each tested scan's probability of being a patient's, or nan where a class has nobody to learn from."""
    if train["label"].nunique() < N_CLASSES:
        return np.full(len(tested), np.nan)
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    model.fit(train[["number"]], train["label"])
    return np.asarray(model.predict_proba(tested[["number"]])[:, 1])


def _whole_runs(predictions: pd.DataFrame) -> pd.DataFrame:
    # A fold's test set may be of one class, or empty, where few have the number: only the repeat is judged.
    part = predictions["fold"].where(predictions["test_set"] == EXTERNAL)
    run = [*(predictions[name] for name in ("training_set", "arm", "test_set", "seed")), part]
    lacking = predictions["probability"].isna().groupby(run, dropna=False).transform("any")
    classes = predictions["label"].groupby(run, dropna=False).transform("nunique")
    return predictions[~lacking & (classes == N_CLASSES)].reset_index(drop=True)
