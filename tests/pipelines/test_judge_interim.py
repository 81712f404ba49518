"""What is shown in the middle of a run: what is finished, what waits, and nothing that is outdated."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.stored import Stored
from cohortsmith.pipelines.judge import interim_nodes
from cohortsmith.pipelines.judge.interim_nodes import gather_finished_sources, show_interim
from cohortsmith.pipelines.judge.jobs import PlannedJob

STUDY = StudyConfig(name="tiny", source="bids", labels=("CN", "AD"))
JUDGE = JudgeConfig(arms=("real", "synthetic"), bootstrap=100)
N = 20
NAMES = [f"sub-{row:02d}" for row in range(N)]
PARTITIONS = pd.DataFrame({"participant_id": NAMES, "diagnosis": ["CN", "AD"] * (N // 2), "split": "test"}).assign(
    partition="train-full", training_set="train-full", fold=pd.array([pd.NA] * N, dtype="Int64")
)


def show(capsys: pytest.CaptureFixture, n_finished: int, n_planned: int, n_jobs: int) -> str:
    random = np.random.default_rng(0)
    about = {"partition": "train-full", "training_set": "train-full", "net": "baseline", "n_synthetic": 0}
    about |= {"arm": "real", "fold": None}
    jobs = {str(seed): PlannedJob(None, "mark", {**about, "seed": seed}) for seed in range(n_planned)}
    runs = {
        key: Stored({**one.about, "fingerprint": "mark", "probabilities": {"test": list(random.random(N))}})
        for key, one in list(jobs.items())[:n_finished]
    }
    runs["outdated"] = Stored({**about, "seed": 9, "fingerprint": "old"})
    show_interim(STUDY, JUDGE, PARTITIONS, jobs, n_jobs, runs, 0)
    return capsys.readouterr().out


def test_what_is_finished_and_what_waits_is_counted_and_arms_are_shown_by_what_is_finished(capsys):
    shown = show(capsys, 2, 3, 8)

    assert "2 of 8 trainings are finished; 5 wait for generators or a search." in shown
    row = shown.splitlines()[-1].split()
    assert row[:5] == ["train-full", "baseline", "test", "real", "2"]


def test_nothing_waits_and_nothing_is_shown_before_the_first_training_is_done(capsys):
    assert show(capsys, 0, 8, 8) == "\n0 of 8 trainings are finished.\n"


@pytest.mark.parametrize("missing", [True, False])
def test_sources_that_are_not_there_yet_are_left_out_without_an_error(missing, monkeypatch):
    given = []

    def gather_sources(study, split, judge, partitions, records, *own):
        given.append(own)
        return {"own": own}

    monkeypatch.setattr(interim_nodes, "gather_sources", gather_sources)
    own = ("folder", None if missing else "latents", "further", "copying")
    found = gather_finished_sources(STUDY, SplitConfig(), JUDGE, PARTITIONS, {}, *own)

    assert found == {"own": () if missing else own}
    assert given == [() if missing else own]


def test_generators_that_are_being_made_anew_are_no_error(monkeypatch):
    def refuse(*_):
        raise StudyError("a generator is not the one that its points were drawn from")

    monkeypatch.setattr(interim_nodes, "gather_sources", refuse)
    assert gather_finished_sources(STUDY, SplitConfig(), JUDGE, PARTITIONS, {}) == {}
