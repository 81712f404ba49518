"""What is shown in the middle of a run: what is finished, what waits, and nothing that is outdated."""

import json

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.imaging.stored import Stored
from cohortsmith.pipelines.judge.interim_nodes import note_plan, show_interim
from cohortsmith.pipelines.judge.jobs import PlannedJob

STUDY = StudyConfig(name="tiny", source="bids", labels=("CN", "AD"))
JUDGE = JudgeConfig(arms=("real", "synthetic"), n_seeds=4, bootstrap=100)
N = 20
NAMES = [f"sub-{row:02d}" for row in range(N)]
PARTITIONS = pd.DataFrame({"participant_id": NAMES, "diagnosis": ["CN", "AD"] * (N // 2), "split": "test"}).assign(
    partition="train-full",
    training_set="train-full",
    **{name: pd.array([pd.NA] * N, dtype="Int64") for name in ("repeat", "fold")},
)


ABOUT = {"partition": "train-full", "training_set": "train-full", "net": "baseline", "n_synthetic": 0, "fold": None}
PARAMETERS = {
    **{"study": STUDY.model_dump(mode="json"), "seed": 0, "judge": {"n_seeds": 4}, "execution": {"workers": 2}},
    **{"generator": {}, "classifier": {}},
}


def planned(n: int) -> dict[str, PlannedJob]:
    return {str(seed): PlannedJob(None, "mark", {**ABOUT, "arm": "real", "seed": seed}) for seed in range(n)}


def show(capsys: pytest.CaptureFixture, n_finished: int, n_planned: int, parameters: dict = PARAMETERS) -> str:
    random, jobs = np.random.default_rng(0), planned(n_planned)
    plan = json.loads(json.dumps(note_plan(jobs, JUDGE, PARTITIONS, PARAMETERS)))
    runs = {
        key: Stored({**one.about, "fingerprint": "mark", "probabilities": {"test": list(random.random(N))}})
        for key, one in list(jobs.items())[:n_finished]
    }
    runs["0" if not n_finished else "9"] = Stored({**ABOUT, "arm": "real", "seed": 9, "fingerprint": "outdated"})
    show_interim(STUDY, JUDGE, PARTITIONS, plan, runs, 0, parameters)
    return capsys.readouterr().out


def test_what_is_finished_and_what_waits_is_counted_and_arms_are_shown_by_what_is_finished(capsys):
    shown = show(capsys, 2, 3)

    assert "2 of 8 trainings are finished; 5 wait for generators or a search." in shown
    row = shown.splitlines()[-1].split()
    assert row[:5] == ["train-full", "baseline", "test", "real", "2"]


def test_nothing_is_shown_before_the_first_training_is_done_but_how_many_there_will_be(capsys):
    assert show(capsys, 0, 8) == "\n0 of 8 trainings are finished.\n"


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"seed": 1}, False),
        ({"judge": {"n_seeds": 9}}, False),
        ({"execution": {}}, True),
        ({"judge": JudgeConfig(n_seeds=4)}, True),  # the same, with its defaults filled in
    ],
)
def test_results_of_other_parameters_are_not_shown_wherever_they_are_computed(change, shown, capsys):
    told = show(capsys, 2, 3, PARAMETERS | change)

    assert ("trainings are finished" in told) == shown
    assert ("No training of this configuration is planned yet" in told) != shown
