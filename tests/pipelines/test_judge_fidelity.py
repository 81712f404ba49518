"""Synthetic beside held-out scans: what is measured, on whom, and that little data is no error."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from cohortsmith.config.study import StudyConfig
from cohortsmith.pipelines.judge import fidelity_nodes
from cohortsmith.pipelines.judge.fidelity_nodes import measure_fidelity, track_fidelity

STUDY = StudyConfig(name="own", source="bids", labels=("CN", "AD"))


def blobs(random: np.random.Generator, n: int, shape: tuple[int, ...] = (12, 13, 12)) -> np.ndarray:
    noise = random.normal(size=(n, *shape))
    return (0.5 + ndimage.gaussian_filter(noise, [0, *[1.5] * len(shape)])).astype(np.float32)


def splits_of(n_training: int, n_held_out: int, sessions: int = 1) -> pd.DataFrame:
    rows = [
        {
            "participant_id": f"sub-{label}{split}{i}",
            "session_id": f"ses-M{12 * s:03d}",
            "diagnosis": label,
            "split": split,
        }
        for label in STUDY.labels
        for split, n in (("train", n_training), ("validation", n_held_out // 2), ("test", n_held_out - n_held_out // 2))
        for i in range(n)
        for s in range(sessions)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


def measure(random, splits, *synthetic):
    return measure_fidelity(STUDY, 1, blobs(random, len(splits), synthetic[0].shape[1:]), splits, *synthetic)


def test_an_honest_generator_is_like_real_scans_and_a_collapsed_one_is_not(random):
    collapsed = np.repeat(blobs(random, 1), 20, axis=0) + 1e-3 * blobs(random, 20)

    table, words = measure(random, splits_of(30, 20), blobs(random, 20), collapsed)
    honest, bad = table.set_index("diagnosis").loc[["CN", "AD"]].to_dict("records")

    assert honest["mmd_p_value"] > 0.05 > bad["mmd_p_value"]
    assert bad["ms_ssim_low"] > 0 > honest["ms_ssim_low"]
    assert honest["recall"] > 0.5 > bad["recall"]
    assert "less diverse" in words["AD"][2]


def test_the_overlap_is_measured_on_sets_of_equal_size(random, monkeypatch):
    sizes = []

    def overlap(real, made, k):
        sizes.append((len(real), len(made), k))
        return measured(real, made, k)

    measured = fidelity_nodes.measure_overlap
    monkeypatch.setattr(fidelity_nodes, "measure_overlap", overlap)
    measure(random, splits_of(12, 9), blobs(random, 30), blobs(random, 4))

    assert sizes == [(9, 9, 5), (4, 4, 3)]


def test_the_space_is_fitted_on_training_scans_alone(random, monkeypatch):
    seen = []

    def fit(training):
        seen.append(training.copy())
        return fitted(training)

    fitted = fidelity_nodes.fit_feature_space
    monkeypatch.setattr(fidelity_nodes, "fit_feature_space", fit)
    splits = splits_of(6, 4)
    images = np.stack([np.full((12, 12), row, dtype=np.float32) for row in range(len(splits))])
    images += 0.01 * blobs(random, len(splits), (12, 12))
    measure_fidelity(STUDY, 1, images, splits, blobs(random, 8, (12, 12)), blobs(random, 8, (12, 12)))

    rows = [part.mean(axis=(1, 2)).round().astype(int) for part in seen]
    assert [set(splits.loc[part, "split"]) for part in rows] == [{"train"}, {"train"}]
    assert [set(splits.loc[part, "diagnosis"]) for part in rows] == [{"CN"}, {"AD"}]


def test_a_held_out_subject_counts_once_however_many_sessions_it_has(random):
    table, _ = measure(random, splits_of(6, 5, sessions=3), blobs(random, 8), blobs(random, 8))

    assert table["n_held_out"].tolist() == [5, 5]
    assert table["n_training"].tolist() == [18, 18]


@pytest.mark.parametrize(("n_held_out", "n_synthetic"), [(3, 3), (4, 12), (12, 3)])
def test_the_smallest_cohorts_are_measured(random, n_held_out, n_synthetic):
    table, _ = measure(random, splits_of(4, n_held_out), blobs(random, n_synthetic), blobs(random, n_synthetic))

    assert table.drop(columns="diagnosis").notna().all(axis=None)


def test_with_less_than_that_it_is_said_that_nothing_was_compared(random):
    table, words = measure(random, splits_of(4, 2), blobs(random, 8), blobs(random, 8))

    assert table.columns.tolist() == ["diagnosis", "n_training", "n_held_out", "n_synthetic"]
    assert words["CN"] == ["Not compared: 2 scans of a kind, at least 3 are needed."]


def test_images_too_small_for_structural_similarity_are_compared_by_features(random):
    small = (8, 9)
    table, words = measure(random, splits_of(8, 6), blobs(random, 8, small), blobs(random, 8, small))

    assert "ms_ssim_real" not in table
    assert table["precision"].notna().all()
    assert "shorter than 11" in words["AD"][2]


def test_the_tracker_is_given_every_known_number_under_a_stable_name():
    table = pd.DataFrame({"diagnosis": ["CN", "AD"], "n_held_out": [6, 2], "precision": [0.5, np.nan]})

    assert track_fidelity(table) == {
        "fidelity.CN.n_held_out": 6,
        "fidelity.CN.precision": 0.5,
        "fidelity.AD.n_held_out": 2,
    }
