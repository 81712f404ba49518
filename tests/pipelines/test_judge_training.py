"""One training that fails stops no other one, and what diverged is left out and named."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.classifier import CustomConfig
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import CohortsmithError, StudyError, TrainingError
from cohortsmith.evaluation.settings import compare_setting
from cohortsmith.execution import Outcome
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import Labelled, source_of
from cohortsmith.models.classifier_file import read_about, read_classifier_file
from cohortsmith.models.classifier_training import ArmJob
from cohortsmith.models.classifier_training import predict as say_of
from cohortsmith.pipelines.judge import nodes
from cohortsmith.pipelines.judge.jobs import PlannedJob, choose_networks
from cohortsmith.pipelines.judge.nodes import train_classifiers, train_early_classifiers, train_one
from cohortsmith.pipelines.judge.predictions import collect_predictions, list_failed_trainings, select_runs

STUDY = StudyConfig(name="tiny", source="bids", labels=("CN", "AD"))
NETWORKS = choose_networks({}, JudgeConfig())
N = 20
SAID = {"best_step": 5, "history": [{"step": 5, "loss": 0.2, "balanced_accuracy": 0.8}]}
SAID |= {"probabilities": {"test": [0.2, 0.9] * (N // 2)}}


def about(arm: str, seed: int = 0, fold: int | None = None, **partition: str) -> dict:
    where = {"partition": "train-full", "training_set": "train-full", **partition}
    return {**where, "net": "baseline", "arm": arm, "n_synthetic": 0, "seed": seed, "fold": fold}


def start(jobs: dict, done: dict, early: dict | None = None) -> Iterator:
    return train_classifiers(STUDY, NETWORKS, partitions(0), jobs, done, ExecutionConfig(), early or {})


def train(monkeypatch: pytest.MonkeyPatch, error: CohortsmithError, n_parts: int) -> tuple[dict, list, Iterator]:
    def run_items(function, items, **settings):
        return (Outcome(key, error=error) if key == "a" else Outcome(key, SAID) for key in items)

    monkeypatch.setattr(nodes, "run_items", run_items)
    jobs = {key: PlannedJob(None, f"mark of {key}", about(key)) for key in ("a", "b", "c", "d")}
    done = {"d": Stored({**about("d"), **SAID, "fingerprint": "mark of d"})}
    saved, tracked, parts = {}, [], start(jobs, done)
    for _ in range(n_parts):
        runs, told = next(parts)
        saved, tracked = saved | runs, tracked + told
    return saved, tracked, parts


def test_the_other_trainings_are_saved_before_the_error_of_one_is_raised(monkeypatch):
    saved, tracked, parts = train(monkeypatch, CohortsmithError("the worker process died"), 3)

    with pytest.raises(CohortsmithError, match="worker process died"):
        next(parts)
    assert {key: stored.record for key, stored in saved.items()} == {
        key: {**about(key), **SAID, "fingerprint": f"mark of {key}"} for key in ("b", "c")
    }
    assert [one.params["arm"] for one in tracked] == ["d", "b", "c"]


def test_a_training_that_diverged_is_kept_as_a_result_and_stops_nothing(monkeypatch):
    saved, tracked, parts = train(monkeypatch, TrainingError("no number", where="step 7"), 4)

    assert next(parts, None) is None
    assert saved["a"].record == {**about("a"), "diverged": "no number", "fingerprint": "mark of a"}
    assert set(saved) == {"a", "b", "c"}
    assert {one.params["arm"]: one.tags.get("failed") for one in tracked} == {**dict.fromkeys("bcd"), "a": "diverged"}


def test_what_was_trained_before_is_tracked_first_with_its_scores(monkeypatch):
    tracked = train(monkeypatch, TrainingError("no number"), 1)[1]

    assert [one.params["arm"] for one in tracked] == ["d"]
    assert tracked[0].metrics["test.balanced_accuracy"] == 1


def test_what_the_first_classifiers_told_the_tracker_is_not_told_again():
    jobs = {key: PlannedJob(None, f"mark of {key}", about(key)) for key in ("a", "b")}
    done = {key: Stored({**about(key), **SAID, "fingerprint": f"mark of {key}"}) for key in jobs}

    assert [one.params["arm"] for one in next(start(jobs, done, {"a": jobs["a"]}))[1]] == ["b"]


def test_the_first_classifiers_stop_at_no_error_which_the_others_meet_again(monkeypatch, tmp_path):
    tried = []

    def run_items(function, items, **settings):
        tried.append(sorted(items))
        return (Outcome(key, error=CohortsmithError("the worker process died")) for key in items)

    monkeypatch.setattr(nodes, "run_items", run_items)
    jobs = {"a": PlannedJob(None, "mark", about("a"))}
    early = train_early_classifiers(STUDY, NETWORKS, partitions(0), jobs, {}, ExecutionConfig(), tmp_path)

    assert list(early) == [({}, [])]
    with pytest.raises(CohortsmithError, match="worker process died"):
        list(start(jobs, {}, jobs))
    assert tried == [["a"], ["a"]]


def trainable(folder: Path) -> PlannedJob:
    random = np.random.default_rng(0)
    data = Labelled(random.random((8, 6, 5), dtype=np.float32), np.arange(8) % 2)
    config = CustomConfig(channels=(2,), strides=(1,), dense=(), batch_size=4, optimizer_steps=4, evaluations=2)
    job = ArmJob("real", 0, data, None, data, {"test": data}, config)
    return PlannedJob(job, "mark", about("real"), folder / "real.safetensors", ("sub-00", "sub-01"))


def test_weights_are_kept_before_the_training_counts_as_done(tmp_path):
    planned = trainable(tmp_path)
    record = Stored({**planned.about, **train_one(planned), "fingerprint": "mark"})

    kept = read_about(planned.weights)
    assert kept == {**planned.about, "fingerprint": "mark", "subjects": ["sub-00", "sub-01"]}
    said = say_of(read_classifier_file(planned.weights), source_of(planned.job.real))
    assert said.tolist() == record.record["probabilities"]["test"]


def break_down(_: PlannedJob) -> dict:
    raise RuntimeError("DefaultCPUAllocator: not enough memory")


def test_an_error_that_nobody_foresaw_stops_the_first_classifiers_neither_and_is_told(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(nodes, "train_one", break_down)
    jobs = {"a": PlannedJob(None, "mark", about("a"))}
    execution = ExecutionConfig(workers=1)

    assert list(train_early_classifiers(STUDY, NETWORKS, partitions(0), jobs, {}, execution, tmp_path)) == [({}, [])]
    assert "tried again later" in caplog.text and "RuntimeError" in caplog.text
    with pytest.raises(CohortsmithError, match="unforeseen"):
        list(train_classifiers(STUDY, NETWORKS, partitions(0), jobs, {}, execution, jobs))


def test_weights_that_saw_a_subject_who_withdrew_are_removed(tmp_path):
    planned = trainable(tmp_path)
    train_one(planned)
    train_one(planned._replace(weights=tmp_path / "other.safetensors", subjects=("sub-00", "sub-withdrawn")))
    (tmp_path / "model_card.md").write_text("kept")
    (tmp_path / "damaged.safetensors").write_bytes(b"who knows of whom")
    (tmp_path / ".killed.safetensors.part").mkdir()
    (tmp_path / ".killed.safetensors.part" / "killed.safetensors").write_bytes(b"half")
    table = pd.concat([partitions(0), partitions(0)[:1].assign(participant_id="sub-withdrawn", split="external")])

    list(train_early_classifiers(STUDY, NETWORKS, table, {}, {}, ExecutionConfig(), tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model_card.md", "real.safetensors"]


def test_what_other_configurations_trained_is_kept_but_not_judged():
    jobs = {key: PlannedJob(None, f"mark of {key}", {}) for key in ("a", "b", "not trained")}
    runs = {key: Stored({"fingerprint": f"mark of {key}"}) for key in ("a", "c")} | {
        "b": Stored({"fingerprint": "old"})
    }

    assert next(start({}, runs)) == ({}, [])
    assert set(select_runs(jobs, runs)) == {"a"}


def partitions(n_folds: int) -> pd.DataFrame:
    names = [f"sub-{row:02d}" for row in range(N)]
    table = pd.DataFrame({"participant_id": names, "diagnosis": ["CN", "AD"] * (N // 2), "split": "test"})
    if not n_folds:
        return table.assign(partition="train-full", training_set="train-full")
    parts = [
        table[np.arange(N) // 2 % n_folds == fold].assign(
            partition=f"repeat-{repeat:02d}_fold-{fold}", training_set="cross-validation"
        )
        for repeat in range(3)
        for fold in range(n_folds)
    ]
    return pd.concat(parts)


def runs_of(table: pd.DataFrame, diverged: tuple[tuple[str, int], ...]) -> dict[str, Stored]:
    """Give three seeds (or repeats) of two arms; of a diverged one every run, in cross-validation the first fold's."""
    random, runs = np.random.default_rng(0), {}
    for arm in ("real", "synthetic"):
        for name, rows in table.groupby("partition"):
            place = name.removeprefix("repeat-").split("_fold-")
            for seed in range(3) if len(place) == 1 else [int(place[0])]:
                fold = None if len(place) == 1 else int(place[1])
                who = about(arm, seed, fold, partition=name, training_set=rows["training_set"].iloc[0])
                said = {**SAID, "probabilities": {"test": list(random.random(len(rows)))}}
                failed = (arm, seed) in diverged and not fold
                runs[f"{name} {arm} {seed}"] = Stored({**who, **({"diverged": "no number"} if failed else said)})
    return runs


def predict(n_folds: int, *diverged: tuple[str, int]) -> pd.DataFrame:
    table = partitions(n_folds)
    judge = JudgeConfig(arms=("real", "synthetic"), draws="shared")
    return collect_predictions(STUDY, judge, table, runs_of(table, diverged))


@pytest.mark.parametrize("n_folds", [0, 5])
def test_a_diverged_run_is_left_out_and_of_cross_validation_the_arms_whole_repeat(n_folds):
    predictions = predict(n_folds, ("synthetic", 1))

    seeds = predictions.groupby("arm")["seed"].unique().map(list).to_dict()
    assert seeds == {"real": [0, 1, 2], "synthetic": [0, 2]}
    assert predictions.groupby(["arm", "seed"])["participant_id"].nunique().eq(N).all()


@pytest.mark.parametrize("n_folds", [0, 5])
def test_arms_are_still_compared_by_the_runs_that_both_have(n_folds):
    compared = compare_setting(predict(n_folds, ("synthetic", 1)), 0.95, 100, np.random.default_rng(0))
    left = predict(n_folds, ("synthetic", 1), ("real", 1))

    expected = compare_setting(left, 0.95, 100, np.random.default_rng(0))
    assert compared["n_seeds"].tolist() == [2]
    assert compared["difference"].tolist() == pytest.approx(expected["difference"].tolist())
    assert np.isfinite(compared[["low", "high"]].to_numpy()).all()


def test_an_arm_that_always_diverged_is_not_compared():
    compared = compare_setting(predict(0, *(("synthetic", seed) for seed in range(3))), 0.95, 100, None)

    assert compared.empty


def test_arms_that_share_no_seed_with_the_real_one_are_not_compared():
    table = predict(0, ("synthetic", 0), ("synthetic", 1), ("real", 2))

    assert compare_setting(table, 0.95, 100, np.random.default_rng(0)).empty


def test_without_a_single_run_on_real_scans_there_is_nothing_to_compare_with():
    with pytest.raises(StudyError, match="every training on real scans alone diverged") as refusal:
        predict(0, *(("real", seed) for seed in range(3)))

    assert "train-full" in refusal.value.where and "learning_rate" in refusal.value.remedy


def test_a_diverged_run_is_named_and_tracked_without_scores():
    runs = runs_of(partitions(0), (("synthetic", 1),))
    jobs = {key: PlannedJob(None, "", {}) for key in runs}
    done = {key: Stored({**run.record, "fingerprint": ""}) for key, run in runs.items()}
    tracked = {one.name: one for one in next(start(jobs, done))[1]}

    assert list_failed_trainings(runs)[["arm", "seed", "what"]].to_numpy().tolist() == [["synthetic", 1, "diverged"]]
    failed = tracked["classifier train-full baseline synthetic seed 1"]
    assert failed.metrics == {} and failed.tags == {"arm": "synthetic", "failed": "diverged"}
    sound = tracked["classifier train-full baseline synthetic seed 0"]
    assert sound.tags == {"arm": "synthetic"}
    assert (sound.metrics["chosen.step"], sound.metrics["chosen.training_loss"]) == (5.0, 0.2)
