"""What one clinical number alone tells: a line that a classifier of images has to pass."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cohortsmith.evaluation.partitions import splits_of

NET = "logistic regression"


def predict_from_columns(
    splits: pd.DataFrame, partitions: pd.DataFrame, columns: Sequence[str], labels: tuple[str, str]
) -> pd.DataFrame:
    """Fit a logistic regression on each column to every partition's training scans, and predict its test scans.

    Classes weigh the same. Scans without the number are left out; a column that a class of the training scans, or of
    a test set, knows nothing of gives no rows there. Predictions are those of `evaluation/settings.py`, with the
    column's name as arm, and one run per partition.
    """
    parts = [
        part
        for _, rows in partitions.groupby("partition", sort=False)
        for part in _predict(splits, rows, columns, labels)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


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
        if train["label"].nunique() < len(labels):
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        model.fit(train[["number"]], train["label"])
        for test_set in ("test", "external"):
            tested = known[known["split"] == test_set]
            if tested["label"].nunique() == len(labels):
                names = {**about, "arm": column, "seed": 0 if pd.isna(first["repeat"]) else int(first["repeat"])}
                probability = model.predict_proba(tested[["number"]])[:, 1]
                kept = tested[["participant_id", "label"]].assign(**names, test_set=test_set)
                yield kept.assign(probability=np.asarray(probability))
