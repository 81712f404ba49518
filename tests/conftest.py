"""Fixtures that make mistakes visible: unequal sides, one seed, everything in a temporary folder."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from cohortsmith.imaging.volume import Volume

# The same examples at every run; benchmarks/fuzz_ingestion.py looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
torch.set_num_threads(1)  # as the workers compute: sums depend on the number of threads

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(42)


@pytest.fixture
def volume(rng: np.random.Generator) -> Volume:
    """Unequal sides and an off-centre, anisotropic grid: a swapped axis cannot hide."""
    affine = np.diag([1.0, 1.5, 2.0, 1.0])
    affine[:3, 3] = -3, 5, 7
    return Volume(rng.random((7, 8, 9), dtype=np.float32), affine)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real scans and numeric oracles that are not part of the repository."""
    folder = Path(os.environ.get("COHORTSMITH_SHARED") or ROOT.parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip("real scans are not here: set COHORTSMITH_SHARED to the folder that holds data/ and oracles/")
    return folder
