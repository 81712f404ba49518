"""The leak that would invalidate a whole study: it must be refused, whatever door it comes in by."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import LeakageError
from cohortsmith.pipelines.judge.leak_nodes import refuse_leaks
from cohortsmith.pipelines.judge.sources import Source

CLEAN = [("sub-1", "ses-1", "train"), ("sub-2", "ses-1", "validation"), ("sub-3", "ses-1", "test")]
STUDY = StudyConfig(name="tiny", source="adni", external_source="aibl", labels=("CN", "AD"))
NO_POINTS = np.empty((0, 2), dtype=np.float32)


def partition(*rows: tuple[str, str, str], name: str = "train-full") -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["participant_id", "session_id", "split"])
    return table.assign(partition=name)


def sources(*subjects: str, name: str = "train-full", origin: str = "synthetic") -> dict:
    return {(name, origin): (Source(name, origin, "AD", Path("g"), "mark", NO_POINTS, subjects),)}


def test_a_clean_study_passes_and_says_who_each_generator_saw():
    lineage = refuse_leaks(STUDY, partition(*CLEAN), sources("sub-1"))

    assert lineage.to_dict("list") == {
        "partition": ["train-full"],
        "origin": ["synthetic"],
        "diagnosis": ["AD"],
        "generator": ["mark"],
        "participant_id": ["sub-1"],
    }


def test_a_subject_in_two_splits_by_another_session_is_refused():
    with pytest.raises(LeakageError, match="sub-1"):
        refuse_leaks(STUDY, partition(*CLEAN, ("sub-1", "ses-2", "test")), sources("sub-1"))


@pytest.mark.parametrize("seen", ["sub-2", "sub-3", "sub-4", "SUB-3"])
@pytest.mark.parametrize("origin", ["synthetic", "prior"])
def test_a_generator_that_saw_a_held_out_subject_is_refused(seen, origin):
    with pytest.raises(LeakageError, match="generator saw"):
        refuse_leaks(STUDY, partition(*CLEAN, ("sub-4", "ses-1", "unused")), sources("sub-1", seen, origin=origin))


def test_a_generator_that_saw_a_stranger_is_refused():
    with pytest.raises(LeakageError, match="no split"):
        refuse_leaks(STUDY, partition(*CLEAN), sources("sub-9"))


def test_a_leak_in_one_fold_is_refused_though_all_others_are_sound():
    swapped = [("sub-1", "ses-1", "test"), ("sub-2", "ses-1", "validation"), ("sub-3", "ses-1", "train")]
    folds = pd.concat([partition(*CLEAN), partition(*swapped, name="repeat-00_fold-1")])
    sound = sources("sub-1") | sources("sub-3", name="repeat-00_fold-1")
    leaking = sources("sub-1") | sources("sub-1", name="repeat-00_fold-1")

    assert len(refuse_leaks(STUDY, folds, sound)) == 2
    with pytest.raises(LeakageError, match="repeat-00_fold-1"):
        refuse_leaks(STUDY, folds, leaking)


def test_the_same_id_in_the_external_study_is_another_person():
    rows = partition(*CLEAN, ("sub-1", "ses-1", "external"))

    assert len(refuse_leaks(STUDY, rows, sources("sub-1"))) == 1


def test_two_downloads_of_one_archive_know_the_same_people():
    rows = partition(*CLEAN, ("sub-1", "ses-1", "external"))

    for external in ("adni", None):
        with pytest.raises(LeakageError, match="both in external and in train"):
            refuse_leaks(STUDY.model_copy(update={"external_source": external}), rows, sources("sub-1"))
    hospital = StudyConfig(name="tiny", source="bids", labels=("CN", "AD"))
    assert len(refuse_leaks(hospital, rows, sources("sub-1"))) == 1
