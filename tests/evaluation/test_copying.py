"""A generator that copies is flagged; one that draws from the same law as the held-out images is not."""

import numpy as np
import pytest

from cohortsmith.evaluation import copying
from cohortsmith.evaluation.copying import Reconstructions, list_quarantine, nearest, screen_copies

SHAPE = (6, 5, 4)
IDS = [f"sub-{i:02d}" for i in range(30)]


def draw_images(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n, *SHAPE), dtype=np.float32)


def test_distance_is_the_root_mean_square_over_pixels() -> None:
    images, others = np.full((1, 2, 2), 0.5, np.float32), np.array([np.zeros((2, 2)), np.full((2, 2), 0.8)], np.float32)
    index, distance = nearest(images, others)
    assert index.tolist() == [1]
    assert distance == pytest.approx([0.3], abs=1e-6)


def test_reading_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images, others = draw_images(11, 0), draw_images(13, 1)
    whole = nearest(images, others)
    monkeypatch.setattr(copying, "_CHUNK_BYTES", 3 * 8 * int(np.prod(SHAPE)))
    in_chunks = nearest(images, others)
    direct = np.sqrt(((images[:, None].astype(float) - others[None]) ** 2).mean(axis=(2, 3, 4)))
    np.testing.assert_array_equal(in_chunks[0], direct.argmin(axis=1))
    np.testing.assert_allclose(in_chunks[1], direct.min(axis=1), rtol=1e-9)
    np.testing.assert_allclose(whole[1], in_chunks[1], rtol=1e-9)


def test_a_copying_generator_is_flagged_and_its_source_is_named() -> None:
    training, held_out = draw_images(30, 0), draw_images(20, 1)
    source = np.array([3, 3, 17])
    screen = screen_copies(training[source] + np.float32(1e-3), training, held_out, IDS)
    assert screen.flagged_share == 1
    assert screen.table["nearest"].tolist() == ["sub-03", "sub-03", "sub-17"]
    assert screen.table["relative"].max() < 0.01


def test_images_of_the_same_law_as_the_held_out_ones_are_flagged_about_as_often_as_expected() -> None:
    screen = screen_copies(draw_images(400, 2), draw_images(30, 0), draw_images(400, 1), IDS)
    # two independent shares of 400 at 5 % differ with a standard error of 1.5 %
    assert screen.flagged_share == pytest.approx(0.05, abs=0.05)


def test_a_blurred_copy_is_caught_by_its_reconstruction_alone() -> None:
    training, held_out = draw_images(30, 0), draw_images(20, 1)
    blurred = Reconstructions(0.1 * training, 0.1 * held_out)
    sharp_enough = 0.1 * training[:5] + np.float32(1e-4)
    assert screen_copies(sharp_enough, training, held_out, IDS).flagged_share == 0
    screen = screen_copies(sharp_enough, training, held_out, IDS, blurred)
    assert screen.flagged_share == 1
    assert not screen.table["close"].any()
    assert screen.table["nearest_reconstruction"].tolist() == IDS[:5]


def test_a_memory_map_is_screened_like_an_array(tmp_path) -> None:
    np.save(tmp_path / "training.npy", draw_images(30, 0))
    mapped = np.load(tmp_path / "training.npy", mmap_mode="r")
    one, other = (screen_copies(draw_images(5, 2), t, draw_images(9, 1), IDS) for t in (mapped, np.array(mapped)))
    assert one.table.equals(other.table)


def test_the_sentence_says_that_it_is_a_screen() -> None:
    sentence = screen_copies(draw_images(3, 2), draw_images(30, 0), draw_images(9, 1), IDS).sentence()
    assert "no proof of privacy" in sentence


def test_the_sentence_says_how_many_would_be_flagged_by_chance() -> None:
    images, training, held_out = draw_images(4, 2), draw_images(30, 0), draw_images(9, 1)
    once = screen_copies(images, training, held_out, IDS)._replace(flagged_share=0.25).sentence()
    assert once.startswith("25% of 4 synthetic images lie closer to a training image than all but 5% of held-out real")
    assert "; about 5% would by chance." in once
    twice = screen_copies(images, training, held_out, IDS, Reconstructions(training, held_out)).sentence()
    assert "all but 5% of held-out reconstructions do; about 5% to 10% would by chance." in twice


def test_flagged_images_are_listed_for_quarantine_closest_first() -> None:
    training, held_out = draw_images(30, 0), draw_images(20, 1)
    images = np.concatenate([draw_images(2, 5), training[[4]] + np.float32(0.01), training[[9]] + np.float32(0.001)])
    names = [f"{name}_ses-M000" for name in IDS]
    screen = screen_copies(images, training, held_out, names)
    listed = list_quarantine(screen, [f"sub-syn{i}" for i in range(4)])
    assert listed["key"].tolist() == ["sub-syn3", "sub-syn2"]
    assert listed["nearest_subject"].tolist() == ["sub-09", "sub-04"]
    assert listed["distance"].tolist() == pytest.approx([0.001, 0.01], rel=0.01)
    assert (listed["threshold"] == screen.threshold).all()
    assert listed["share_of_threshold"].tolist() == pytest.approx(list(listed["distance"] / screen.threshold))
    assert set(listed["compared_with"]) == {"image"}


def test_a_scan_close_to_both_is_listed_once_and_the_list_agrees_with_the_screen() -> None:
    training, held_out = draw_images(30, 0), draw_images(20, 1)
    images = np.concatenate([0.9 * training[:3] + np.float32(1e-4), training[3:5], draw_images(20, 3)])
    screen = screen_copies(images, training, held_out, IDS, Reconstructions(0.9 * training, 0.9 * held_out), 0.2)
    assert (screen.table["close"] & screen.table["close_reconstruction"])[:5].all()
    keys = np.array([f"sub-syn{i}" for i in range(25)])
    listed = list_quarantine(screen, list(keys))
    assert listed["key"].is_unique
    assert set(listed["key"]) == set(keys[screen.table["flagged"]])
    by_key = listed.set_index("key")["compared_with"]
    assert by_key[keys[:5]].tolist() == ["reconstruction"] * 3 + ["image"] * 2


def test_nothing_flagged_leaves_an_empty_list_with_its_columns() -> None:
    screen = screen_copies(draw_images(3, 2) + 5, draw_images(30, 0), draw_images(9, 1), IDS)
    listed = list_quarantine(screen, ["a", "b", "c"])
    assert len(listed) == 0
    assert "nearest_subject" in listed
