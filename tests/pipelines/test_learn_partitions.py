"""The generators of smaller training sets, of folds and for the prior: who is in them, and what a kill leaves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cohortsmith.config.generator import SamplerConfig, TrainingConfig, VAEConfig, read_generator
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.run import ExecutionConfig, RunConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.errors import StudyError, TrainingError
from cohortsmith.evaluation.folds import assign_folds
from cohortsmith.execution import Outcome
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import source_of
from cohortsmith.models.generator_file import read_generator_file, write_generator
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.training import fit_vae
from cohortsmith.pipelines.augment.nodes import decode_latent_points, draw_further_points, draw_latent_points
from cohortsmith.pipelines.judge.sources import gather_sources, latents_of
from cohortsmith.pipelines.learn import fits, partition_nodes
from cohortsmith.pipelines.learn.partition_nodes import (
    fit_and_draw,
    fit_partition_generators,
    make_partitions,
    plain,
    plan_partition_generators,
)

ONE = ExecutionConfig(workers=1)
BRIEF = TrainingConfig(epochs=3, warm_up_epochs=1, batch_size=4)
GENERATOR = read_generator({"kind": "rhvae", "latent_dim": 2, "network": {"hidden": [6], "metric_hidden": [4]}})
LABELS = ("CN", "AD")
N = 12


class Study:
    """A tiny study on disk: images, splits, and a run's configuration."""

    def __init__(self, folder: Path, arms=("real", "real+synthetic", "real+vae-prior"), **judge) -> None:
        self.images_file, self.models = folder / "images.npy", folder / "partitions"
        np.save(self.images_file, np.random.default_rng(0).random((2 * N, 3, 4), dtype=np.float32))
        split = np.tile(["train"] * 8 + ["validation"] * 2 + ["test"] * 2, 2)
        sets = np.tile(["train-4"] * 4 + ["train-full"] * 4 + [None] * 4, 2)
        names = [f"sub-{row:02d}" for row in range(2 * N)]
        self.splits = pd.DataFrame({"participant_id": names, "key": names, "diagnosis": np.repeat(LABELS, N)})
        self.splits = self.splits.assign(split=split, training_set=sets, fingerprint=names)
        self.config = RunConfig(
            study={"name": "tiny", "source": "bids", "labels": LABELS},
            split=SplitConfig(train_subsets=(4,)),
            generator=GENERATOR,
            training=BRIEF,
            sampler=SamplerConfig(n_samples=4, n_steps=8, n_leapfrog=2),
            judge=JudgeConfig(arms=arms, training_sets=(4, "full"), n_synthetic=(2, 6), **judge),
        )
        self.partitions = make_partitions(self.config.split, self.config.judge, self.splits)

    def plan(self, **changes) -> dict:
        parameters = {**self.config.model_dump(), **changes}
        images = np.load(self.images_file, mmap_mode="r")
        return plan_partition_generators(parameters, images, self.splits, self.partitions, self.models)

    def folder(self) -> RecordFolder:
        return RecordFolder(filepath=str(self.models), name="<key>")

    def fit(self, jobs: dict, execution: ExecutionConfig = ONE) -> dict:
        for part in fit_partition_generators(jobs, self.folder().load(), self.splits, execution):
            self.folder().save(part)
        return self.folder().load()


def gather(study: Study) -> dict:
    """Read what classifiers would be trained on, as far as it is not the run's own partition."""
    own = study.models / "train-full_prior_CN"
    points = pd.DataFrame({"key": ["a"], "z0": [0.0], "z1": [0.0]})
    parts = (own, points, points[:0].assign(draw=0), pd.DataFrame({"flagged": [False]})) * len(LABELS)
    config = study.config
    return gather_sources(config.study, config.split, config.judge, study.partitions, study.folder().load(), *parts)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Do the jobs in this process, and note which ones."""
    done = []

    def run_items(function, items, **settings):
        for key, arguments in items.items():
            done.append(key)
            yield Outcome(key, function(*arguments))

    monkeypatch.setattr(partition_nodes, "run_items", run_items)
    return done


def test_only_what_the_arms_need_and_the_run_has_not_is_planned(tmp_path):
    keys = {
        f"{name}_{label}" for label in LABELS for name in ("train-full_prior", "train-4_synthetic", "train-4_prior")
    }

    assert set(Study(tmp_path).plan()) == keys
    assert set(Study(tmp_path, arms=("real", "synthetic")).plan()) == {f"train-4_synthetic_{label}" for label in LABELS}
    assert Study(tmp_path, arms=("real", "real+classic", "real+oversampling", "random-labels")).plan() == {}


def test_each_generator_sees_the_training_subjects_of_its_partition_and_diagnosis_alone(tmp_path):
    study = Study(tmp_path)
    sides = study.partitions.set_index(["partition", "participant_id"])["split"]

    for job in study.plan().values():
        assert job.plan.subjects
        assert {sides[job.partition, subject] for subject in job.plan.subjects} == {"train"}
        assert set(study.splits.set_index("participant_id").loc[[*job.plan.subjects], "diagnosis"]) == {job.plan.label}


def test_the_prior_comes_from_a_plain_vae_with_the_same_network_and_likelihood(tmp_path):
    job = Study(tmp_path).plan()["train-full_prior_AD"]

    assert type(job.plan.config) is VAEConfig and job.plan.config.kind == "vae"
    assert job.plan.config.network == GENERATOR.network
    assert (job.sampler.kind, job.sampler.n_samples) == ("prior", 6)
    assert plain(GENERATOR.model_copy(update={"likelihood_variance": 0.3})).likelihood_variance == 0.3


def test_a_stopped_grid_goes_on_to_the_same_points_and_redoes_nothing(tmp_path, here, monkeypatch):
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole, stopped = Study(tmp_path / "whole"), Study(tmp_path / "stopped")
    expected = whole.fit(whole.plan())
    here.clear()
    parts = fit_partition_generators(stopped.plan(), {}, stopped.splits, ONE)
    for _ in range(3):  # the first part removes what is outdated
        stopped.folder().save(next(parts))
    parts.close()
    begun = list(here)
    here.clear()
    found = stopped.fit(stopped.plan())

    assert begun[:2] + here == list(whole.plan()) and len(begun) <= 3
    assert [one.record for one in found.values()] == [one.record for one in expected.values()]
    for key in expected:
        points = [np.load(study.models / f"{key}_points.npy") for study in (whole, stopped)]
        assert points[0].shape == (5, 6, 2)
        np.testing.assert_array_equal(*points)


def test_a_model_that_was_written_before_a_kill_is_not_trained_again(tmp_path, here, monkeypatch):
    study = Study(tmp_path)
    study.fit(study.plan())
    (study.models / "train-4_prior_CN.json").unlink()
    monkeypatch.setattr(partition_nodes, "carry_out", None)
    here.clear()

    assert set(study.fit(study.plan())) == set(study.plan())
    assert here == ["train-4_prior_CN"]


def test_points_are_drawn_anew_where_a_stopped_run_left_another_generator(tmp_path, here):
    study, key = Study(tmp_path), "train-4_prior_CN"
    study.fit(study.plan())
    description = study.models / key / "generator.json"
    sound = description.read_text()
    description.write_text(sound.replace(study.plan()[key].plan.fingerprint, "of another run"))
    with pytest.raises(StudyError, match="not the one that its points"):
        gather(study)
    here.clear()
    study.fit(study.plan())

    assert here == [key] and description.read_text() == sound
    gather(study)


def test_a_fit_that_was_killed_goes_on_from_its_checkpoint(tmp_path, here, monkeypatch):
    folders = []
    monkeypatch.setattr(
        fits,
        "fit_vae",
        lambda *given, checkpoint, **more: folders.append(checkpoint) or fit_vae(*given, checkpoint=checkpoint, **more),
    )
    study = Study(tmp_path)
    study.fit(study.plan())

    assert folders == [study.models / key / "training" for key in study.plan()]


def test_another_training_or_number_of_points_makes_what_depends_on_it_anew(tmp_path):
    study = Study(tmp_path)
    plans = [
        study.plan(),
        study.plan(training={**BRIEF.model_dump(), "epochs": 4}),
        study.plan(judge={**study.config.judge.model_dump(), "n_synthetic": (2, 7)}),
        study.plan(sampler={**study.config.sampler.model_dump(), "n_steps": 9}),
    ]
    marks = [{key: job.fingerprint for key, job in plan.items()} for plan in plans]
    differing = [{key.split("_")[1] for key in marks[0] if marks[0][key] != other[key]} for other in marks[1:]]

    assert differing == [{"synthetic", "prior"}, {"synthetic", "prior"}, {"synthetic"}]


def test_more_seeds_bring_more_draws_and_leave_the_earlier_ones_and_the_generators_as_they_are(
    tmp_path, here, monkeypatch
):
    fewer, more = Study(tmp_path, n_seeds=2), Study(tmp_path, n_seeds=3)
    fewer.fit(fewer.plan())
    before = {key: np.load(fewer.models / f"{key}_points.npy") for key in fewer.plan()}
    monkeypatch.setattr(partition_nodes, "carry_out", None)
    more.fit(more.plan())
    after = {key: np.load(more.models / f"{key}_points.npy") for key in before}

    for key, draws in after.items():
        assert draws.shape == (3, 6, 2)
        np.testing.assert_array_equal(draws[:2], before[key])
        assert len({draw.tobytes() for draw in draws}) == 3


@pytest.mark.parametrize("judge", [{"draws": "shared"}, {"quarantine": "exclude"}])
def test_runs_that_share_a_draw_ask_for_one(tmp_path, judge):
    assert {job.n_draws for job in Study(tmp_path, **judge).plan().values()} == {1}


def test_a_fold_has_one_run_per_arm_and_so_one_draw(tmp_path):
    study = Study(tmp_path)
    folds = assign_folds(study.splits, SplitConfig(folds=2))
    study.partitions = make_partitions(study.config.split, study.config.judge, study.splits, folds)

    n_draws = {key: job.n_draws for key, job in study.plan().items()}
    assert {"fold" in key: n for key, n in n_draws.items()} == {False: 5, True: 1}
    assert all(n == (1 if "fold" in key else 5) for key, n in n_draws.items())


def test_what_is_not_asked_for_stays_for_the_next_time_but_is_not_used(tmp_path, here):
    study = Study(tmp_path)
    study.fit(study.plan())
    fewer = Study(tmp_path, arms=("real", "synthetic"))
    here.clear()
    kept = fewer.fit(fewer.plan())

    assert here == [] and set(kept) == set(study.plan())
    assert set(gather(fewer)) == {("train-full", "synthetic"), ("train-4", "synthetic")}
    assert set(gather(study)) == {*gather(fewer), ("train-full", "prior"), ("train-4", "prior")}


def test_the_runs_own_partition_never_takes_a_generator_that_another_configuration_left(tmp_path, here):
    study = Study(tmp_path)
    study.fit(study.plan())
    left = study.folder().load()["train-4_synthetic_CN"]
    study.folder().save({"train-full_synthetic_CN": Stored({**left.record, "partition": "train-full"})})

    assert len(gather(study)["train-full", "synthetic"]) == 2


def test_a_generator_that_saw_a_subject_who_left_the_study_is_removed_with_its_model(tmp_path, here):
    study = Study(tmp_path)
    study.fit(study.plan())
    fewer = Study(tmp_path, arms=("real", "synthetic"))
    left = study.splits["participant_id"].iloc[0]
    fewer.splits = study.splits[study.splits["participant_id"] != left]
    saw = {key for key, one in study.folder().load().items() if left in one.record["subjects"]} - set(fewer.plan())

    assert saw
    removed = next(fit_partition_generators(fewer.plan(), study.folder().load(), fewer.splits, ONE))
    assert set(removed) == saw and not any(removed.values())
    assert {path.name for path in study.models.iterdir() if path.is_dir()} == set(study.plan()) - saw


def test_the_others_are_saved_before_the_error_of_one_is_raised(tmp_path, monkeypatch):
    value = {"points": np.zeros((6, 2), dtype=np.float32), "diagnostics": {"r_hat": float("nan")}}

    def run_items(function, items, **settings):
        for key in items:
            yield Outcome(key, error=TrainingError("no number")) if "CN" in key else Outcome(key, value)

    monkeypatch.setattr(partition_nodes, "run_items", run_items)
    study = Study(tmp_path)
    with pytest.raises(TrainingError, match="no number"):
        study.fit(study.plan())

    assert set(study.folder().load()) == {key for key in study.plan() if "AD" in key}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "dask"])
def test_workers_of_either_engine_give_the_same_points(tmp_path, engine):
    study = Study(tmp_path, arms=("real", "real+synthetic"))
    jobs = study.plan()
    study.fit(jobs, ExecutionConfig(engine=engine, workers=2))

    for key, job in jobs.items():
        expected = fit_and_draw(job._replace(folder=tmp_path / "here" / key))["points"]
        np.testing.assert_array_equal(np.load(study.models / f"{key}_points.npy"), expected)


@pytest.fixture(scope="module")
def trained() -> TrainedGenerator:
    # An odd number of pixels: a vectorised sigmoid of many images rounds the ends of each one differently.
    images = np.random.default_rng(0).random((8, 61, 67), dtype=np.float32)
    network = {"hidden": [128], "metric_hidden": [4]}
    config = read_generator({"kind": "rhvae", "latent_dim": 2, "network": network})
    return TrainedGenerator(fit_vae(images, config, BRIEF, 1), "CN", ("sub-1",), "mark", 1)


NO_OTHERS = pd.DataFrame({"partition": ["train-full"]})
SAMPLER = SamplerConfig(n_samples=5, n_steps=8, n_leapfrog=2)


def test_further_points_leave_the_exported_ones_as_they_are_and_go_on_counting(trained):
    exported = draw_latent_points(trained, SAMPLER, 1)[0]
    further = [
        draw_further_points(trained, exported, SAMPLER, JudgeConfig(n_synthetic=dose, draws="shared"), 1)
        for dose in (4, 5, 8, (2, 9))
    ]

    assert [len(table) for table in further] == [0, 0, 3, 4]
    assert all(list(table.columns) == [*exported.columns, "draw"] for table in further)
    assert further[2]["key"].tolist() == [f"sub-synCN{i:05d}" for i in (5, 6, 7)]
    assert not set(further[2]["z0"]) & set(exported["z0"])


def test_every_further_draw_is_complete_and_the_same_however_many_follow(trained):
    exported = draw_latent_points(trained, SAMPLER, 1)[0]
    two, three = (
        draw_further_points(trained, exported, SAMPLER, JudgeConfig(n_synthetic=7, n_seeds=n), 1) for n in (2, 3)
    )

    assert three["draw"].tolist() == [0] * 2 + [1] * 7 + [2] * 7
    assert three["key"].tolist() == [f"sub-synCN{i:05d}" for i in range(5, 21)]
    assert len({*exported["z0"], *three["z0"]}) == 21
    pd.testing.assert_frame_equal(three[:9], two)


def test_the_exported_points_begin_the_first_draw_and_are_in_no_other(trained, tmp_path):
    study = RunConfig(study={"name": "tiny", "source": "bids", "labels": LABELS}).study
    judge = JudgeConfig(n_synthetic=7, n_seeds=2)
    exported = draw_latent_points(trained, SAMPLER, 1)[0]
    further = draw_further_points(trained, exported, SAMPLER, judge, 1)
    own = []
    for label in LABELS:
        write_generator(tmp_path / label / "generator.safetensors", trained._replace(label=label))
        own += [tmp_path / label, exported, further, pd.DataFrame({"flagged": [False] * len(exported)})]
    sources = gather_sources(study, SplitConfig(), judge, NO_OTHERS, {}, *own)["train-full", "synthetic"]
    first, second = (latents_of(sources, 7, draw).points[:7].numpy() for draw in (0, 1))

    np.testing.assert_array_equal(first[:5], exported[["z0", "z1"]].to_numpy(dtype=np.float32))
    np.testing.assert_array_equal(second, further.loc[further["draw"] == 1, ["z0", "z1"]].to_numpy(dtype=np.float32))
    assert not set(first[:, 0]) & set(second[:, 0])


def test_what_a_classifier_decodes_is_what_is_stored_bit_for_bit(trained, tmp_path):
    study = RunConfig(study={"name": "tiny", "source": "bids", "labels": LABELS}).study
    latents = draw_latent_points(trained, SAMPLER, 1)[0]
    own = []
    for label in LABELS:
        write_generator(tmp_path / label / "generator.safetensors", trained._replace(label=label))
        copying = pd.DataFrame({"flagged": [False] * len(latents)})
        own += [tmp_path / label, latents, latents.iloc[:0].assign(draw=0), copying]
    stored = np.stack(list(decode_latent_points(trained, latents)))
    sources = gather_sources(study, SplitConfig(), JudgeConfig(), NO_OTHERS, {}, *own)
    made = latents_of(sources["train-full", "synthetic"], 5)

    for rows in (np.arange(10), np.array([7, 0, 0, 3]), np.array([4])):
        decoded = source_of(made).images(rows, torch.Generator()).squeeze(1).numpy()
        np.testing.assert_array_equal(decoded, stored[rows % 5])


def test_the_models_file_says_whom_it_saw(tmp_path, here):
    study = Study(tmp_path)
    records = study.fit(study.plan())

    for key, stored in records.items():
        written = read_generator_file(study.models / key / "generator.safetensors")
        assert list(written.subjects) == stored.record["subjects"]
        assert written.fingerprint == stored.record["generator"]
