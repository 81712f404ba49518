"""From tables of scans and visits to a cohort, its splits and its folds, as the pipeline does it."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.cohort import CohortConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources.inventory import ClinicalVisit, Inventory
from cohortsmith.imaging.stored import Stored
from cohortsmith.pipelines.ingest.nodes import describe_clinical_visits
from cohortsmith.pipelines.learn.cohort_nodes import make_folds, select_cohort, split_cohort, track_split_quality
from cohortsmith.pipelines.learn.pipeline import create_pipeline

STUDY = StudyConfig(name="own", source="adni", labels=("CN", "AD"))
SPLIT = SplitConfig(test=4, validation=3, train_subsets=(6,), train_on=6, candidates=20, folds=3, repeats=2)


def participants(n: int = 40, site: str = "one") -> pd.DataFrame:
    random = np.random.default_rng(n)
    subjects = pd.DataFrame(
        {"participant_id": [f"sub-{i:02d}" for i in range(n)], "diagnosis": ["CN", "AD"] * (n // 2)}
    )
    subjects = subjects.assign(age=random.normal(74, 7, n), sex=random.choice(["F", "M"], n), site=site)
    table = pd.concat([subjects.assign(session_id=session) for session in ("ses-M000", "ses-M012")], ignore_index=True)
    return table.assign(key=table["participant_id"] + "_" + table["session_id"])


def prepared(table: pd.DataFrame) -> dict[str, Stored]:
    return {key: Stored({"Fingerprint": f"print of {key}"}) for key in table["key"]}


def clinical(*visits: ClinicalVisit) -> pd.DataFrame:
    return describe_clinical_visits(Inventory((), (), visits))


def select(config: CohortConfig, role: str = "training", **changes):
    table = participants(**changes)
    return select_cohort(STUDY, config, table, clinical(), prepared(table), role=role)


def test_the_cohort_carries_the_fingerprints_of_its_scans():
    cohort, exclusions, flow = select(CohortConfig())
    assert cohort["fingerprint"].tolist() == [f"print of {key}" for key in cohort["key"]]
    assert set(exclusions["rule"]) == {"cohort.later_session"}
    assert flow["scans"].iloc[0] == 80


def test_clinical_visits_without_a_scan_are_heard():
    table = participants()
    later = clinical(
        ClinicalVisit("sub-00", "ses-M000", 0, "CN", "CN"), ClinicalVisit("sub-00", "ses-M036", 36, "AD", "CN")
    )
    cohort, exclusions, _ = select_cohort(STUDY, CohortConfig(), table, later, prepared(table), role="training")
    assert "sub-00" not in set(cohort["participant_id"])
    assert (
        exclusions.loc[exclusions["participant_id"] == "sub-00", "rule"].tolist() == ["cohort.changing_diagnosis"] * 2
    )


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("participant_id\tsession_id\nsub-01\tses-M12\n02\tM000\n", ["sub-01_ses-M012", "sub-02_ses-M000"]),
        ("participant_id\nsub-05\n", ["sub-05_ses-M000"]),
    ],
)
def test_the_table_of_scans_to_keep_is_read_for_its_own_study(tmp_path, text, used):
    path = tmp_path / "passed.tsv"
    path.write_text(text)
    config = CohortConfig(keep_table=str(path))
    assert select(config)[0]["key"].tolist() == used
    assert len(select(config, "external")[0]) == 40


def test_a_table_of_scans_to_keep_without_ids_is_refused_by_name(tmp_path):
    path = tmp_path / "passed.tsv"
    path.write_text("subject\nsub-01\n")
    with pytest.raises(StudyError, match="participant_id"):
        select(CohortConfig(keep_table=str(path)))


def test_every_scan_of_both_studies_gets_a_split_and_only_the_own_study_is_compared():
    own, external = select(CohortConfig(sessions="all"))[0], select(CohortConfig(), "external", n=20)[0]
    splits, quality = split_cohort(STUDY, SPLIT, own, external)
    assert splits.index.tolist() == list(range(100))
    assert splits["split"].value_counts().to_dict() == {
        "unused": 28,
        "train": 24,
        "external": 20,
        "test": 16,
        "validation": 12,
    }
    assert quality["subjects"].tolist() == [4, 3, 6] * 2
    assert split_cohort(STUDY, SPLIT, own)[0].equals(splits.head(80))


def test_p_values_become_metrics_and_unknown_ones_do_not():
    _, quality = split_cohort(STUDY, SPLIT, select(CohortConfig())[0])
    metrics = track_split_quality(quality)
    assert len(metrics) == 2 * 3 * 2
    assert metrics["split.CN.test with the rest.p_age"] == quality["p_age"].iloc[0]


@pytest.mark.parametrize(("subjects", "n"), [("train", 26), ("all", 40)])
def test_folds_are_of_the_full_training_set_or_of_all(subjects, n):
    splits, _ = split_cohort(STUDY, SPLIT, select(CohortConfig())[0], select(CohortConfig(), "external", n=20)[0])
    folds = make_folds(SPLIT.model_copy(update={"fold_subjects": subjects}), splits)
    assert len(folds) == 2 * n
    held_out = set(splits.loc[splits["split"] == "test", "participant_id"])
    assert held_out.isdisjoint(folds["participant_id"]) == (subjects == "train")


@pytest.mark.parametrize("asked", [True, False])
def test_folds_are_a_dataset_only_where_they_are_asked_for(asked):
    pipeline = create_pipeline(("training",), ("CN", "AD"), folds=asked)
    assert ("folds" in pipeline.all_outputs()) == asked


def test_a_source_without_clinical_visits_gives_an_empty_table_with_its_columns():
    assert clinical().columns.tolist() == list(ClinicalVisit._fields)
