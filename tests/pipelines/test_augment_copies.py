"""A copy is listed, marked in the folder and in its record, and counted; no record names whom it copies."""

import numpy as np
import pandas as pd
import pytest
from tiny_rhvae import BRIEF, TINY, draw_images

from cohortsmith.config.generator import VAEConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.training import fit_vae
from cohortsmith.pipelines.augment.copying_nodes import screen_for_copies, track_screen
from cohortsmith.pipelines.augment.nodes import describe_synthetic_folder, write_synthetic_scans

PLAIN = VAEConfig(latent_dim=2, likelihood_variance=0.05, network=TINY.network)
STUDY = StudyConfig(name="own", source="bids", labels=("CN", "AD"))
N = 24
COPIED = 3


def splits_of(*sizes: tuple[str, int]) -> pd.DataFrame:
    names = [f"sub-{split}{i}" for split, n in sizes for i in range(n)]
    split = np.repeat([name for name, _ in sizes], [n for _, n in sizes])
    keys = [f"{name}_ses-M000" for name in names]
    return pd.DataFrame({"participant_id": names, "key": keys, "diagnosis": "AD", "split": split})


SPLITS = splits_of(("train", 12), ("validation", 4), ("test", 8))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return draw_images(N, seed=4)


@pytest.fixture(scope="module")
def generator(images) -> TrainedGenerator:
    return TrainedGenerator(fit_vae(images[:12], PLAIN, BRIEF, seed=3), "AD", tuple(SPLITS["key"][:12]), "mark", 1)


@pytest.fixture(scope="module")
def latents() -> pd.DataFrame:
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 2)), columns=["z0", "z1"])
    return table.assign(key=[f"sub-synAD{i:05d}" for i in range(5)])[["key", "z0", "z1"]]


@pytest.fixture(scope="module")
def synthetic(images) -> np.ndarray:
    # far from every scan and from every reconstruction, but for one copy
    made = np.repeat(1 - images[:1], 5, axis=0)
    made[COPIED] = images[7]
    return made


@pytest.fixture(scope="module")
def screened(generator, latents, synthetic, images):
    return screen_for_copies(generator, latents, synthetic, images, SPLITS, 1)


def test_only_the_copy_is_in_quarantine_with_its_source(screened):
    copying, quarantine, _, words = screened

    assert quarantine["key"].tolist() == ["sub-synAD00003"]
    assert quarantine["nearest_subject"].tolist() == ["sub-train7"]
    assert copying["flagged"].tolist() == [False, False, False, True, False]
    assert words["quarantined"] == 1


def test_the_folder_and_the_record_of_a_copy_say_so_and_name_nobody(screened, generator, latents, synthetic):
    copying = screened[0]
    described = describe_synthetic_folder(STUDY, generator, copying).participants
    _, *written = write_synthetic_scans(generator, latents, synthetic, np.eye(4).tolist(), 1, copying, {}, {})
    records = {key: stored.record for part in written for key, stored in part.items()}

    assert described["quarantined"].tolist() == ["false", "false", "false", "true", "false"]
    assert [key for key, record in records.items() if record["Quarantined"]] == ["sub-synAD00003"]
    assert "sub-train" not in str(records) + described.to_string()


def test_a_scan_is_written_again_when_it_enters_quarantine(screened, generator, latents, synthetic):
    cleared = screened[0].assign(flagged=False)
    grid = np.eye(4).tolist()
    _, *before = write_synthetic_scans(generator, latents, synthetic, grid, 1, cleared, {}, {})
    done = {key: stored for part in before for key, stored in part.items()}

    _, *after = write_synthetic_scans(generator, latents, synthetic, grid, 1, screened[0], done, {})

    assert [list(part) for part in after] == [["sub-synAD00003"]]


def test_membership_is_attacked_in_images_reconstructions_and_codes(screened):
    _, _, attacks, _ = screened

    assert attacks["space"].tolist() == ["images", "reconstructions", "codes"]
    assert (attacks["n_training"] == 12).all() and (attacks["n_held_out"] == 12).all()


def test_copies_of_all_training_scans_are_a_sign_of_who_was_trained_on(generator, images):
    latents = pd.DataFrame({"key": [f"sub-synAD{i:05d}" for i in range(12)], "z0": 9.0, "z1": 9.0})

    attacks = screen_for_copies(generator, latents, images[:12], images, SPLITS, 1)[2].set_index("space")

    assert attacks.loc["images", "auc"] == 1
    assert attacks.loc["images", "closer_share"] == 1
    assert attacks.loc["images", "shown"]


def test_the_tracker_is_given_shares_under_stable_names(screened, generator):
    copying, _, attacks, _ = screened
    metrics = track_screen(generator, copying, attacks)

    assert metrics["copies.AD.flagged_share"] == pytest.approx(0.2)
    assert {"membership.AD.images.auc", "membership.AD.codes.p_value"} <= set(metrics)


def test_one_held_out_subject_is_screened_against_but_not_attacked(generator, latents, synthetic, images):
    few = splits_of(("train", 12), ("test", 1))

    copying, _, attacks, _ = screen_for_copies(generator, latents, synthetic, images, few, 1)

    assert len(copying) == 5
    assert attacks.empty


def test_without_held_out_scans_nothing_is_said_to_have_passed(generator, latents, synthetic, images):
    alone = splits_of(("train", 12))

    copying, quarantine, attacks, words = screen_for_copies(generator, latents, synthetic, images, alone, 1)
    _, *written = write_synthetic_scans(generator, latents, synthetic, np.eye(4).tolist(), 1, copying, {}, {})

    assert quarantine.empty and attacks.empty
    assert "Not screened" in words["sentence"]
    assert describe_synthetic_folder(STUDY, generator, copying).participants["quarantined"].isna().all()
    assert {stored.record["Quarantined"] for part in written for stored in part.values()} == {None}
    assert track_screen(generator, copying, attacks) == {}


@pytest.mark.parametrize(("skulls", "stripped"), [((True, True), True), ((True, False), False), ((), False)])
def test_a_synthetic_scan_is_without_skull_where_all_prepared_ones_are(
    screened, generator, latents, synthetic, skulls, stripped
):
    prepared = {str(number): Stored({"SkullStripped": value}) for number, value in enumerate(skulls)}
    grid = np.eye(4).tolist()
    _, *written = write_synthetic_scans(generator, latents, synthetic, grid, 1, screened[0], {}, prepared)
    assert {stored.record["SkullStripped"] for part in written for stored in part.values()} == {stripped}
