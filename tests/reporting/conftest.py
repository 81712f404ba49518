"""A whole fake study: smooth blobs for heads, drawn scores, so that every section has something to show."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from cohortsmith.config.run import RunConfig
from cohortsmith.evaluation.cohort import format_cohort, summarise_cohort
from cohortsmith.evaluation.scores import compare_arms, score_runs, summarise_arms
from cohortsmith.evaluation.verdict import give_verdicts, state_rule
from cohortsmith.records import Rejection
from cohortsmith.reporting.content import (
    Generator,
    Judgement,
    Neighbour,
    Preparation,
    PreparedScan,
    ReportContent,
    RunFacts,
)
from cohortsmith.reporting.figures.planes import as_bytes, central_planes
from cohortsmith.reporting.methods import describe_methods

STUDY = {"name": "phantom", "source": "adni", "simulated": True, "labels": ["CN", "AD"]}
SHAPE = (28, 36, 32)
SKILL = {"real": 0.4, "real+classic": 0.5, "synthetic": 0.35, "real+synthetic": 0.9, "random-labels": 0.0}


def heads(rng: np.random.Generator, n: int, ventricle: float = 0.2, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Ellipsoids with a dark core and smooth texture: (n, *shape) in [0, 1]."""
    axes = np.meshgrid(*[np.linspace(-1.15, 1.15, size) for size in shape], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    images = []
    for _ in range(n):
        texture = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
        core = radius < ventricle * rng.uniform(0.7, 1.3)
        image = (radius < rng.uniform(0.92, 1.0)) * (0.65 + 1.2 * texture) * np.where(core, 0.25, 1.0)
        images.append(ndimage.gaussian_filter(image, 0.7))
    return np.clip(np.array(images, dtype=np.float32), 0, 1)


def predictions(rng: np.random.Generator, n_seeds: int = 3, n_subjects: int = 40) -> pd.DataFrame:
    label = np.repeat([0, 1], n_subjects // 2)
    parts = []
    for test_set, loss in (("test", 0.0), ("external", 0.25)):
        trait = rng.normal(size=n_subjects)
        for arm, skill in SKILL.items():
            for seed in range(n_seeds):
                gain = max(skill - loss, 0) if skill else 0.0
                score = gain * (2 * label - 1) + 0.6 * trait + 0.5 * rng.normal(size=n_subjects)
                parts.append(
                    pd.DataFrame(
                        {
                            "arm": arm,
                            "seed": seed,
                            "test_set": test_set,
                            "participant_id": [f"sub-{test_set}{index:03d}" for index in range(n_subjects)],
                            "label": label,
                            "probability": 1 / (1 + np.exp(-score)),
                        }
                    )
                )
    return pd.concat(parts, ignore_index=True)


def judgement(rng: np.random.Generator, n_seeds: int = 3, n_subjects: int = 40) -> Judgement:
    table = predictions(rng, n_seeds, n_subjects)
    arms = summarise_arms(table, 0.95, 200, rng)
    differences = compare_arms(table, 0.95, 200, rng)
    verdicts = give_verdicts(arms, differences, 0.05)
    return Judgement(score_runs(table), arms, differences, verdicts, state_rule(0.95, 0.05), 0.05)


def participants(rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        {
            "participant_id": f"sub-{split}{diagnosis}{index:03d}",
            "session_id": "ses-M000",
            "diagnosis": diagnosis,
            "split": split,
            "age": rng.normal(74, 7),
            "sex": rng.choice(["M", "F"]),
            "mmse": rng.normal(29, 1) if diagnosis == "CN" else rng.normal(22, 3),
        }
        for split, size in (("train", 28), ("validation", 8), ("test", 15), ("external", 20))
        for diagnosis in ("CN", "AD")
        for index in range(size)
    ]
    return pd.DataFrame(rows)


def generator(rng: np.random.Generator, label: str, ventricle: float, shape: tuple[int, ...] = SHAPE) -> Generator:
    epoch = np.arange(200)
    fall = np.exp(-epoch / 30)
    history = pd.DataFrame(
        {
            "epoch": epoch,
            "elbo": -900 * fall - 240 + rng.normal(0, 3, 200) - 25 * (epoch > 60),
            "reconstruction": -950 * fall - 220 + rng.normal(0, 3, 200),
            "kl": 20 * (1 - fall) + rng.normal(0, 0.2, 200),
        }
    )
    real = heads(rng, 8, ventricle, shape)
    synthetic = ndimage.gaussian_filter(heads(rng, 8, ventricle, shape), [0] + [0.8] * len(shape))
    pairs = [
        Neighbour(
            f"sub-syn{label}{i:05d}", synthetic[i], f"sub-{label}{i:03d}_ses-M000", real[i], 0.08 + 0.01 * i, i == 0
        )
        for i in range(8)
    ]
    screen = "6% of 100 synthetic images lie closer to a training image than all but 5% of held-out real images do."
    diagnostics = {
        "acceptance": 0.78,
        "support_radius": 4.21,
        "r_hat": 1.31,
        "effective_sample_size": 412.0,
        "void_share": 0.03,
    }
    return Generator(label, history, real, synthetic, pairs, screen, diagnostics)


def preparation(rng: np.random.Generator, n: int = 16) -> Preparation:
    scans = [
        PreparedScan(
            f"sub-{index:03d}_ses-M000",
            {
                "template_correlation": 0.6 + 0.02 * ((7 * index) % n),
                "signal_to_noise": 14.2,
                "scale": 1.08,
                "shear": 0.03,
            },
            [as_bytes(plane) for plane in central_planes(image)],
            "template correlation far below the cohort's" if index == 3 else "",
        )
        for index, image in enumerate(heads(rng, n))
    ]
    return Preparation(scans, [as_bytes(plane) for plane in central_planes(heads(rng, 1)[0])])


def whole_study(rng: np.random.Generator) -> ReportContent:
    volumes = pd.DataFrame(
        [
            {"diagnosis": diagnosis, "source": source, "ventricle_volume": rng.gamma(9, mean / 9)}
            for source in ("real", "synthetic")
            for diagnosis, mean in (("CN", 28), ("AD", 45))
            for _ in range(50)
        ]
    )
    check = volumes.groupby(["source", "diagnosis"], sort=False)["ventricle_volume"].agg(["mean", "std"]).reset_index()
    return ReportContent(
        run=RunFacts(
            study="phantom",
            command="kedro run --env base",
            seed=1,
            versions={"cohortsmith": "0.1.0", "torch": "2.13.0", "antspyx": "0.6.3", "commit": "2e82518"},
            is_phantom=True,
            date="2026-11-21",
        ),
        cohort=format_cohort(summarise_cohort(participants(rng))),
        rejections=(
            Rejection(
                "sub-017_ses-M000",
                "prepare",
                "does not resemble the template: correlation 0.12, at least 0.30 expected",
            ),
            Rejection("sub-044_ses-M012", "ingest", "no T1w series in this visit"),
        ),
        preparation=preparation(rng),
        generators=(generator(rng, "CN", 0.2), generator(rng, "AD", 0.38)),
        judgement=judgement(rng),
        phantom_check=check,
        volumes=volumes,
        timings={
            "simulate_scans": 41.0,
            "prepare_scans": 312.4,
            "fit_generator CN": 95.0,
            "train_classifiers": 201.7,
            "render": 2.2,
        },
        config=RunConfig.model_validate({"study": STUDY}),
        methods=describe_methods(RunConfig.model_validate({"study": STUDY})),
        limits=("Ages above 89 are given as 89.",),
        citation="Marcus DS et al. Open Access Series of Imaging Studies. J Cogn Neurosci 19(9), 2007.",
    )


@pytest.fixture(scope="session")
def study() -> ReportContent:
    return whole_study(np.random.default_rng(11))


@pytest.fixture(scope="session")
def table_of_predictions() -> pd.DataFrame:
    return predictions(np.random.default_rng(11))


@pytest.fixture(scope="session")
def nothing() -> ReportContent:
    facts = RunFacts("six", "kedro run --env six", 1, {"cohortsmith": "0.1.0"})
    return ReportContent(facts, no_judgement="Six subjects cannot be split into training, validation and test sets.")


@pytest.fixture(scope="session")
def slices() -> Generator:
    return generator(np.random.default_rng(2), "AD", 0.3, (44, 52))


if __name__ == "__main__":  # to look at: python tests/reporting/conftest.py folder
    import sys

    from cohortsmith.reporting.report import render_quality_page, render_report

    content = whole_study(np.random.default_rng(11))
    Path(sys.argv[1], "report.html").write_text(render_report(content))
    Path(sys.argv[1], "quality.html").write_text(render_quality_page(content))
