"""Regional volumes in the pipeline: on whom, in which space, and that slices have none."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.config.study import PhantomConfig, StudyConfig
from cohortsmith.imaging.phantom import draw_cohort
from cohortsmith.imaging.phantom.aligned import make_aligned
from cohortsmith.imaging.template import crop_grid
from cohortsmith.imaging.tissue_volumes import TissueVolumes
from cohortsmith.pipelines.judge import regional_volume_nodes
from cohortsmith.pipelines.judge.regional_volume_nodes import measure_regional_volumes, track_regional_volumes

STUDY = StudyConfig(name="own", source="bids", labels=("CN", "AD"))
GRID = crop_grid(8.0)


@pytest.fixture(scope="module")
def phantoms() -> np.ndarray:
    config = PhantomConfig(n_subjects=8, seed=3)
    people = draw_cohort(config, "training").sort_values("diagnosis", ascending=False)
    scans = [make_aligned(config, "training", int(i), person, GRID).data for i, person in people.iterrows()]
    return np.stack(scans)  # four controls, four patients


def splits_of(n: int) -> pd.DataFrame:
    sides = np.resize(["train", "validation", "test", "test"], n)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(n)],
            "session_id": "ses-M000",
            "diagnosis": np.repeat(["CN", "AD"], n // 2),
            "split": sides,
        }
    )


def measure(images, splits, *synthetic, kind="volume"):
    affine = GRID.affine.tolist()
    return measure_regional_volumes(STUDY, PreparationConfig(kind=kind), images, splits, affine, *synthetic)


def test_training_held_out_and_synthetic_scans_are_measured_in_millilitres_of_the_template(phantoms):
    volumes, compared, words = measure(phantoms, splits_of(8), phantoms[:4], phantoms[4:])

    assert volumes.groupby(["diagnosis", "source"]).size().to_dict() == {
        (label, source): n
        for label in ("AD", "CN")
        for source, n in (("held_out", 3), ("synthetic", 4), ("training", 1))
    }
    assert volumes["grey"].between(700, 1150).all() and volumes["white"].between(450, 900).all()
    ventricles = volumes[volumes["source"] == "synthetic"].groupby("diagnosis")["ventricles"].mean()
    assert ventricles["AD"] > ventricles["CN"]
    assert len(compared) == 2 * 4 * 3
    assert [len(words[label]) for label in ("CN", "AD")] == [4, 4]


def test_a_subject_counts_once_and_no_more_scans_are_measured_than_needed(phantoms, monkeypatch):
    monkeypatch.setattr(regional_volume_nodes, "MOST", 2)
    twice = pd.concat([splits_of(8), splits_of(8).assign(session_id="ses-M012")], ignore_index=True)
    volumes, *_ = measure(np.concatenate([phantoms, phantoms]), twice, phantoms[:4], phantoms[4:])

    assert volumes.groupby(["diagnosis", "source"]).size().max() == 2
    assert volumes.groupby(["diagnosis", "source"]).size()["CN", "training"] == 1


def test_slices_have_no_volumes_and_it_is_said(phantoms):
    volumes, compared, words = measure(phantoms, splits_of(8), phantoms[:4], phantoms[4:], kind="slices")

    assert volumes.empty and compared.empty
    assert [*volumes] == ["diagnosis", "source", *TissueVolumes._fields]
    assert words == {"": ["Regional volumes were not measured: the study's images are slices."]}
    assert track_regional_volumes(compared) == {}


def test_the_tracker_is_given_means_and_what_synthetic_scans_differ_by():
    row = {"diagnosis": "CN", "region": "grey", "difference": -30.0, "hedges_g": np.nan}
    compared = pd.DataFrame(
        [row | {"source": "training", "mean_ml": 700.0}, row | {"source": "synthetic", "mean_ml": 670.0}]
    )

    assert track_regional_volumes(compared) == {
        "fidelity.CN.grey_ml.training": 700,
        "fidelity.CN.grey_ml.synthetic": 670,
        "fidelity.CN.grey_ml.difference": -30,
    }
