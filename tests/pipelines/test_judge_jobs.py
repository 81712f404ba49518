"""The grid of trainings: what each one sees, its order, and what makes it outdated."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.classifier import CustomConfig
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import LeakageError, StudyError
from cohortsmith.evaluation.folds import assign_folds
from cohortsmith.evaluation.partitions import partition_scans
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import Latents
from cohortsmith.pipelines.judge.jobs import (
    choose_networks,
    count_trainings,
    is_current,
    plan_classifiers,
    plan_early_classifiers,
)
from cohortsmith.pipelines.judge.predictions import collect_predictions
from cohortsmith.pipelines.judge.sources import Source

STUDY = StudyConfig(name="tiny", source="bids", labels=("CN", "AD"))
ARMS = ("real", "real+classic", "real+oversampling", "synthetic", "real+synthetic", "real+vae-prior", "random-labels")
JUDGE = JudgeConfig(arms=ARMS, n_synthetic=(2, 5), n_seeds=3, first_seed=40, bootstrap=100)
SPLIT = SplitConfig(folds=2, repeats=2, validation=0.3, minimum_per_class=2)
N = 16
FOLDER = Path("weights")
EARLY = {"real", "real+classic", "real+oversampling", "random-labels"}


def splits() -> pd.DataFrame:
    names = [f"sub-{row:02d}" for row in range(N)]
    sides = (["train"] * 4 + ["validation"] * 2 + ["test"] * 2) * 2
    table = pd.DataFrame({"participant_id": names, "key": names, "fingerprint": names, "split": sides})
    table["diagnosis"] = np.repeat(["CN", "AD"], N // 2)
    table["training_set"] = [
        {0: "train-1", 1: "train-2"}.get(i % 8, "train-full") if i % 8 < 4 else None for i in range(N)
    ]
    others = table[:6:3].assign(split="external", training_set=None)
    return pd.concat([table, others], ignore_index=True)


def partitions(*training_sets: str, folds: bool = False) -> pd.DataFrame:
    dealt = assign_folds(splits()[:N], SPLIT) if folds else None
    return partition_scans(splits(), SPLIT, training_sets, dealt)


def sources_of(table: pd.DataFrame, shift: float = 0.0) -> dict:
    return {
        (name, origin): tuple(
            Source(name, origin, label, Path(name, origin, label), "mark", draws(name, place + shift), ("sub-00",))
            for place, label in enumerate(STUDY.labels)
        )
        for name in table["partition"].unique()
        for origin in ("synthetic", "prior")
    }


def draws(partition: str, first: float) -> tuple[np.ndarray, ...]:
    return tuple(points(first) + 100 * draw for draw in range(1 if "fold" in partition else 6))


def made_by(planned) -> Latents | None:
    made = planned.job.prior or planned.job.synthetic
    return made if isinstance(made, Latents) else None


def points(first: float) -> np.ndarray:
    return np.float32(10 * first) + np.arange(6, dtype=np.float32)[:, None]


@pytest.fixture
def images(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "images.npy", np.random.default_rng(0).random((N + 2, 4, 4), dtype=np.float32))
    return np.load(tmp_path / "images.npy", mmap_mode="r")


def plan(images, table, judge=JUDGE, sources=None, networks=None, scans=None):
    networks = networks or choose_networks({"kind": "custom"}, judge)
    sources = sources_of(table) if sources is None else sources
    scans = splits() if scans is None else scans
    return plan_classifiers(STUDY, judge, networks, scans, table, images, sources, FOLDER)


def test_every_training_set_net_arm_dose_and_seed_is_trained_once(images):
    networks = choose_networks({"kind": "custom"}, JUDGE, {"kind": "mlp"})
    judge = JUDGE.model_copy(update={"nets": ("baseline", "optimised")})
    jobs = plan(images, partitions("train-full", "train-1"), judge, networks=networks)
    about = pd.DataFrame([one.about for one in jobs.values()])

    assert len(jobs) == 2 * 2 * 9 * 3
    assert not about.duplicated().any()
    assert about["seed"].unique().tolist() == [40, 41, 42]
    assert about.drop_duplicates("arm").set_index("arm")["n_synthetic"].to_dict() == {
        "real": 0,
        "real+classic": 0,
        "real+oversampling": 5,
        "synthetic-2": 2,
        "synthetic-5": 5,
        "real+synthetic-2": 2,
        "real+synthetic-5": 5,
        "real+vae-prior": 5,
        "random-labels": 0,
    }
    assert {one.job.config.kind for one in jobs.values() if one.about["net"] == "optimised"} == {"mlp"}


def test_the_optimised_network_is_the_configurations_or_else_what_was_searched():
    fixed = JudgeConfig(nets=("baseline", "optimised"), optimised={"kind": "optimized"})

    assert choose_networks({"kind": "custom"}, JUDGE).keys() == {"baseline"}
    assert choose_networks({"kind": "custom"}, fixed)["optimised"].kind == "optimized"
    assert choose_networks({"kind": "custom"}, JUDGE, {"kind": "mlp"})["optimised"].kind == "mlp"


def test_wherever_the_grid_is_stopped_no_arm_is_more_than_one_run_ahead(images):
    order = [one.about["arm"] for one in plan(images, partitions("train-full")).values()]

    for stop in range(1, len(order)):
        runs = Counter(dict.fromkeys(order, 0)) | Counter(order[:stop])
        assert max(runs.values()) - min(runs.get(arm, 0) for arm in order) <= 1


def test_a_fold_is_trained_once_per_arm_and_repeat_in_the_order_of_the_repeats(images):
    jobs = list(plan(images, partitions("train-full", folds=True)).values())
    dealt = [one.about for one in jobs if one.about["training_set"] == "cross-validation"]

    assert len(dealt) == 9 * 2 * 2
    assert [one["repeat"] for one in dealt] == [0] * 18 + [1] * 18
    assert all(one["seed"] == 40 + one["repeat"] for one in dealt)


def test_every_job_sees_its_own_partition(images):
    table = partitions("train-full", "train-1", folds=True)
    sides = {name: rows.set_index("row")["split"] for name, rows in table.groupby("partition")}

    for planned in plan(images, table).values():
        side = sides[planned.about["partition"]]
        given = {"train": planned.job.real, "validation": planned.job.validation, **planned.job.tests}
        assert {name: list(part.rows) for name, part in given.items()} == {
            name: list(side.index[side == name]) for name in ("train", "validation", "test", "external")
        }


def test_a_dose_is_the_first_points_of_each_label_and_controls_come_first(images):
    planned = plan(images, partitions("train-full")).values()
    jobs = {one.about["arm"]: one.job for one in planned if one.about["seed"] == 40}

    assert jobs["synthetic-2"].synthetic.points[:, 0].tolist() == [0, 1, 10, 11]
    assert jobs["real+synthetic-5"].synthetic.labels.tolist() == [0] * 5 + [1] * 5
    assert isinstance(jobs["real+vae-prior"].prior, Latents) and jobs["real+vae-prior"].synthetic is None
    assert jobs["real+oversampling"].synthetic.labels.tolist() == [0] * 5 + [1] * 5
    assert jobs["real"].synthetic is None and jobs["random-labels"].synthetic is None


def test_every_seed_sees_a_draw_of_its_own_that_its_arms_share(images):
    jobs = plan(images, partitions("train-full")).values()
    first = {(one.about["arm"], one.about["seed"]): made_by(one).points[0, 0].item() for one in jobs if made_by(one)}

    assert len(first) == 5 * 3
    for index in range(3):
        assert {value for (_, seed), value in first.items() if seed == 40 + index} == {100 * index}


def test_runs_that_share_a_draw_see_the_same(images):
    jobs = plan(images, partitions("train-full"), JUDGE.model_copy(update={"draws": "shared"})).values()

    assert {made_by(one).points[0, 0].item() for one in jobs if made_by(one)} == {0}


def test_a_fold_sees_the_only_draw_of_its_generators_in_every_repeat(images):
    jobs = plan(images, partitions("train-full", folds=True)).values()
    dealt = [one for one in jobs if one.about["fold"] is not None and made_by(one)]

    assert {one.about["repeat"] for one in dealt} == {0, 1}
    assert {made_by(one).points[0, 0].item() for one in dealt} == {0}


def test_early_trainings_are_those_of_the_whole_plan_that_need_no_generator_and_no_search(images):
    table = partitions("train-full", "train-1", folds=True)
    judge = JUDGE.model_copy(update={"nets": ("baseline", "optimised")})
    networks = choose_networks({"kind": "custom"}, judge)
    early = plan_early_classifiers(STUDY, judge, networks, splits(), table, images, FOLDER)
    whole = plan(images, table, judge, networks=choose_networks({"kind": "custom"}, judge, {"kind": "mlp"}))

    assert {key: one.fingerprint for key, one in early.items()} == {
        key: one.fingerprint
        for key, one in whole.items()
        if one.about["net"] == "baseline" and one.about["arm"] in EARLY
    }
    assert {one.about["arm"] for one in early.values()} == EARLY


def test_early_trainings_are_refused_where_a_subject_is_on_two_sides(images):
    table = partitions("train-full")
    table.loc[table["split"].eq("test").idxmax(), "participant_id"] = table["participant_id"].iloc[0]

    with pytest.raises(LeakageError, match="sub-00"):
        plan_early_classifiers(STUDY, JUDGE, choose_networks({}, JUDGE), splits(), table, images, FOLDER)


@pytest.mark.parametrize("folds", [False, True])
def test_the_whole_grid_is_counted_before_it_can_be_planned(folds, images):
    table = partitions("train-full", "train-1", folds=folds)
    judge = JUDGE.model_copy(update={"nets": ("baseline", "optimised")})
    networks = choose_networks({"kind": "custom"}, judge, {"kind": "mlp"})

    assert count_trainings(judge, table) == len(plan(images, table, judge, networks=networks))


@pytest.mark.parametrize(("keep", "kept"), [("real", {"real"}), ("all", {named.name for named in JUDGE.named_arms})])
def test_weights_are_kept_under_the_trainings_own_name_with_whom_they_saw(images, keep, kept):
    table = partitions("train-full")
    jobs = plan(images, table, JUDGE.model_copy(update={"keep_weights": keep}))

    assert {one.about["arm"] for one in jobs.values() if one.weights} == kept
    assert all(one.weights == FOLDER / f"{key}.safetensors" for key, one in jobs.items() if one.weights)
    seen = set(table.loc[table["split"].isin(["train", "validation"]), "participant_id"])
    assert {one.subjects for one in jobs.values()} == {tuple(sorted(seen))}


def test_classifiers_that_are_no_networks_have_no_weights_to_keep(images):
    judge = JUDGE.model_copy(update={"keep_weights": "all"})
    jobs = plan(
        images, partitions("train-full"), judge, networks=choose_networks({"kind": "support_vector_machine"}, judge)
    )

    assert {one.weights for one in jobs.values()} == {None}


def test_a_partition_without_its_generators_is_named(images):
    table = partitions("train-full", "train-1")
    without = {key: value for key, value in sources_of(table).items() if key[0] != "train-1"}

    with pytest.raises(StudyError, match="train-1"):
        plan(images, table, sources=without)


def arms_that_change(one: dict, other: dict) -> set[str]:
    return {planned.about["arm"] for key, planned in one.items() if planned.fingerprint != other[key].fingerprint}


def test_a_training_is_outdated_by_what_it_depends_on_and_by_nothing_else(images):
    table = partitions("train-full")
    before, every = plan(images, table), {named.name for named in JUDGE.named_arms}
    made = {"synthetic-2", "synthetic-5", "real+synthetic-2", "real+synthetic-5", "real+vae-prior"}
    classic = JUDGE.model_copy(update={"classic": JUDGE.classic.model_copy(update={"noise_sd": 0.5})})
    other_scan = splits().assign(fingerprint=["other", *splits()["fingerprint"][1:]])

    assert arms_that_change(before, plan(images, table)) == set()
    assert arms_that_change(before, plan(images, table, sources=sources_of(table, 1))) == made
    assert arms_that_change(before, plan(images, table, classic)) == {"real+classic"}
    assert arms_that_change(before, plan(images, table, scans=other_scan)) == every
    together = plan(images, table, JUDGE.model_copy(update={"mixture": "concatenated"}))
    assert arms_that_change(before, together) == {name for name in every if name.startswith("real+")}
    assert {one.job.mixture for one in together.values()} == {"concatenated"}
    network = {"baseline": CustomConfig(dropout=0.1)}
    assert arms_that_change(before, plan(images, table, networks=network)) == every
    more = JUDGE.model_copy(update={"n_seeds": 4, "n_synthetic": (2, 5, 6)})
    assert (
        arms_that_change(
            {key: before[key] for key in before if "oversampling" not in key and "prior" not in key},
            plan(images, table, more),
        )
        == set()
    )


def test_what_was_trained_with_controls_for_patients_is_trained_again(images):
    table = partitions(folds=True)
    swapped = STUDY.model_copy(update={"labels": STUDY.labels[::-1]})
    one, other = (
        plan_classifiers(study, JUDGE, choose_networks({}, JUDGE), splits(), table, images, sources_of(table), FOLDER)
        for study in (STUDY, swapped)
    )

    assert arms_that_change(one, other) == {planned.about["arm"] for planned in one.values()}
    assert not {planned.fingerprint for planned in one.values()} & {planned.fingerprint for planned in other.values()}


def test_predictions_name_whom_and_what_in_the_order_of_the_arms(images):
    table = partitions("train-full", folds=True)
    jobs = plan(images, table)
    runs = {
        key: Stored(
            {**one.about, "probabilities": {name: [0.25] * len(part.labels) for name, part in one.job.tests.items()}}
        )
        for key, one in reversed(jobs.items())
    }
    found = collect_predictions(STUDY, JUDGE, table, runs)

    assert found.columns.tolist() == [
        *("training_set", "net", "arm", "n_synthetic", "seed", "fold"),
        *("test_set", "participant_id", "label", "probability"),
    ]
    assert found["training_set"].unique().tolist() == ["train-full", "cross-validation"]
    assert found["arm"].unique().tolist() == [named.name for named in JUDGE.named_arms]
    assert found["fold"].isna().eq(found["training_set"] == "train-full").all()
    once = found[(found["training_set"] == "cross-validation") & (found["test_set"] == "test")]
    assert once.groupby(["arm", "seed", "participant_id"]).size().eq(1).all()
    diagnoses = splits().drop_duplicates("participant_id").set_index("participant_id")["diagnosis"]
    own = found[found["test_set"] == "test"]
    assert (own["label"] == (own["participant_id"].map(diagnoses) == "AD")).all()


def test_a_run_of_other_settings_is_not_current(images):
    planned = next(iter(plan(images, partitions("train-full")).values()))

    assert is_current(planned, Stored({"fingerprint": planned.fingerprint}))
    assert not is_current(planned, Stored({"fingerprint": "other"})) and not is_current(planned, None)
