"""What the synthetic scans are like beside real ones that no generator saw: alike, as various, told apart?"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.diversity import DiversityComparison, compare_diversity
from cohortsmith.evaluation.feature_space import fit_feature_space, project
from cohortsmith.evaluation.maximum_mean_discrepancy import Discrepancy, measure_discrepancy
from cohortsmith.evaluation.precision_recall import ManifoldOverlap, measure_overlap
from cohortsmith.evaluation.sessions import first_sessions
from cohortsmith.evaluation.structural_similarity import WIDTH, count_scales

Images = NDArray[np.float32]
Random = np.random.Generator
N_NEIGHBOURS = 5
FEWEST = 3  # images of each kind: fewer have no spread over pairs


class Kinds(NamedTuple):
    """Images of one diagnosis: real ones that were trained on, real ones that were not (one a subject), synthetic."""

    training: Images
    held_out: Images
    synthetic: Images


def measure_fidelity(
    study: StudyConfig, seed: int, images: Images, splits: pd.DataFrame, *synthetic: Images
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Compare each label's synthetic images with held-out real ones: one row per label, and the same in words.

    Columns: diagnosis; n_training, n_held_out, n_synthetic; those of `ManifoldOverlap`, on sets of equal size; mmd and
    mmd_p_value; ms_ssim_synthetic, ms_ssim_real, ms_ssim_difference with low and high. Missing where there is too
    little to measure on.
    """
    rows, words = [], {}
    for place, (label, made) in enumerate(zip(study.labels, synthetic, strict=True)):
        kinds = Kinds(*(images[own] for own in _rows_of(label, splits)), made)
        counts = {f"n_{name}": len(part) for name, part in kinds._asdict().items()}
        found, words[label] = _measure(kinds, np.random.default_rng([seed, place]))
        rows.append({"diagnosis": label, **counts, **found})
    return pd.DataFrame(rows), words


def track_fidelity(fidelity: pd.DataFrame) -> dict[str, float]:
    """Give the parent run `fidelity.<label>.<name>` for every number of the table."""
    rows = fidelity.set_index("diagnosis").to_dict("index")
    metrics = {f"fidelity.{label}.{name}": float(value) for label, row in rows.items() for name, value in row.items()}
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _rows_of(label: str, splits: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    own = splits[splits["diagnosis"] == label].assign(row=lambda rows: rows.index)
    held_out = own[own["split"].isin(["validation", "test"])]
    return own.loc[own["split"] == "train", "row"].to_numpy(), first_sessions(held_out)["row"].to_numpy()


def _measure(kinds: Kinds, random: Random) -> tuple[dict[str, float], list[str]]:
    fewest = min(map(len, kinds))
    if fewest < FEWEST:
        return {}, [f"Not compared: {fewest} scans of a kind, at least {FEWEST} are needed."]
    overlap, discrepancy = _measure_features(kinds, random)
    found: dict[str, float] = {**overlap._asdict(), "mmd": discrepancy.squared, "mmd_p_value": discrepancy.p_value}
    words = [overlap.sentence(), _word(discrepancy)]
    if not count_scales(kinds.synthetic.shape[1:]):
        return found, [*words, f"Diversity was not measured: a side of the images is shorter than {WIDTH}."]
    diversity = compare_diversity(kinds.synthetic, kinds.held_out, random)
    return {**found, **_columns(diversity)}, [*words, diversity.sentence()]


def _measure_features(kinds: Kinds, random: Random) -> tuple[ManifoldOverlap, Discrepancy]:
    space = fit_feature_space(kinds.training)
    real, made = project(space, kinds.held_out), project(space, kinds.synthetic)
    n = min(len(real), len(made))
    equal = [random.choice(features, n, replace=False) for features in (real, made)]
    return measure_overlap(*equal, min(N_NEIGHBOURS, n - 1)), measure_discrepancy(real, made, random)


def _word(discrepancy: Discrepancy) -> str:
    told = "told apart" if discrepancy.p_value < 0.05 else "not told apart"
    return (
        f"By the kernel two-sample test synthetic and held-out real images are {told} "
        f"(MMD² {discrepancy.squared:.3g}, permutation p = {discrepancy.p_value:.2g})."
    )


def _columns(diversity: DiversityComparison) -> dict[str, Any]:
    return {
        "ms_ssim_synthetic": diversity.synthetic.mean,
        "ms_ssim_real": diversity.real.mean,
        "ms_ssim_difference": diversity.difference,
        "ms_ssim_low": diversity.low,
        "ms_ssim_high": diversity.high,
    }
