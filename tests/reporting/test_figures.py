"""Figures are PNG of the size that was asked for, the same each time, and show what they should where they should."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cohortsmith.reporting.figures.arm_scores import draw_arm_scores
from cohortsmith.reporting.figures.neighbour_pairs import draw_neighbour_pairs
from cohortsmith.reporting.figures.paired_differences import draw_paired_differences
from cohortsmith.reporting.figures.planes import as_bytes, central_planes, edges
from cohortsmith.reporting.figures.scan_strip import GAP, HEIGHT, draw_scan_strip
from cohortsmith.reporting.figures.style import DOTS_PER_INCH
from cohortsmith.reporting.figures.training_curves import draw_training_curves
from cohortsmith.reporting.figures.volume_strips import draw_volume_strips
from cohortsmith.reporting.montage import reconstruction_montage, sample_montage


def opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    picture.load()
    return picture


def inches(png: bytes) -> tuple[float, float]:
    width, height = opened(png).size
    return width / DOTS_PER_INCH, height / DOTS_PER_INCH


class TestSizes:
    def test_curves_are_ten_by_three_inches(self, study):
        histories = {one.label: one.history for one in study.generators}

        assert inches(draw_training_curves(histories)) == pytest.approx((10, 3), abs=0.01)

    def test_a_plot_of_arms_grows_with_their_number(self, study):
        arms, scores = study.judgement.arms, study.judgement.scores
        few = arms[arms["arm"].isin(["real", "synthetic"])]

        assert inches(draw_arm_scores(scores, arms)) == pytest.approx((10, 1.1 + 0.42 * 5), abs=0.01)
        assert inches(draw_arm_scores(scores, few)) == pytest.approx((10, 1.1 + 0.42 * 2), abs=0.01)

    def test_differences_pairs_and_volumes_keep_their_size(self, study):
        assert inches(draw_paired_differences(study.judgement.differences, 0.05)) == pytest.approx((10, 2.46), abs=0.01)
        assert inches(draw_neighbour_pairs(study.generators[0].neighbours)) == pytest.approx((10, 4.4), abs=0.01)
        assert inches(draw_volume_strips(study.volumes)) == pytest.approx((7, 3.2), abs=0.01)

    def test_a_strip_is_as_wide_as_its_planes_at_one_height(self):
        planes = [np.zeros((30, 20)), np.zeros((30, 60)), np.zeros((10, 10))]

        width = HEIGHT * 20 // 30 + HEIGHT * 2 + HEIGHT + 2 * GAP
        assert opened(draw_scan_strip(planes)).size == (width, HEIGHT)

    @pytest.mark.parametrize("shape", [(9, 11), (9, 11, 1), (9, 11, 7)])
    def test_montages_take_slices_and_volumes(self, rng, shape):
        images = rng.random((3, *shape), dtype=np.float32)

        assert inches(sample_montage(images, "AD"))[0] == pytest.approx(10, abs=0.01)
        assert inches(reconstruction_montage(images, images * 0.5))[0] == pytest.approx(10, abs=0.01)

    def test_one_image_is_enough(self, rng):
        assert opened(sample_montage(rng.random((1, 5, 6, 7)), "CN")).size[0] > 0


class TestPlanes:
    def test_the_front_of_the_head_is_on_top_and_its_left_on_the_left(self):
        volume = np.zeros((5, 7, 9))
        volume[0, 6, 4] = 1  # left, front, middle height

        axial, coronal, sagittal = central_planes(volume)

        assert (axial.shape, coronal.shape, sagittal.shape) == ((7, 5), (9, 5), (9, 7))
        assert axial[0, 0] == 1

    def test_the_crown_of_the_head_is_on_top_and_its_face_to_the_right(self):
        volume = np.zeros((5, 7, 9))
        volume[2, 3, 8] = 1
        volume[2, 6, 4] = 2

        _, coronal, sagittal = central_planes(volume)

        assert coronal[0, 2] == 1
        assert sagittal[4, 6] == 2

    @given(st.floats(-1, 2) | st.just(float("nan")))
    def test_bytes_never_wrap_round(self, value):
        expected = 0 if np.isnan(value) else round(255 * min(max(value, 0), 1))

        assert abs(int(as_bytes(np.full((1, 1), value))[0, 0]) - expected) <= 1

    def test_bytes_stay_as_they_are(self):
        grey = np.arange(256, dtype=np.uint8).reshape(16, 16)

        np.testing.assert_array_equal(as_bytes(grey), grey)

    def test_the_edge_of_a_disc_is_a_thin_ring_where_the_disc_ends(self):
        rows, columns = np.indices((80, 80))
        radius = np.hypot(rows - 40, columns - 40)

        ring = radius[edges((radius < 25) * 200.0)]

        assert 2 * np.pi * 25 * 0.6 < len(ring) < 2 * np.pi * 25 * 2.2
        assert np.abs(ring - 25).max() < 2.5

    def test_a_flat_plane_has_no_edge(self):
        assert not edges(np.full((20, 30), 7.0)).any()


class TestDrawing:
    def test_the_template_s_edges_are_drawn_in_colour_over_a_grey_scan(self):
        scan = np.full((40, 40), 0.5)
        template = np.zeros((40, 40))
        template[10:30, 10:30] = 1.0

        plain, marked = (np.asarray(opened(draw_scan_strip([scan], lines))).astype(int) for lines in ((), [template]))

        assert np.ptp(plain, axis=2).max() == 0
        assert (np.ptp(marked, axis=2) > 60).sum() > 200

    @settings(max_examples=5, deadline=None)
    @given(st.integers(0, 100))
    def test_the_same_data_give_the_same_bytes(self, seed):
        images = np.random.default_rng(seed).random((2, 6, 7, 8))

        assert sample_montage(images, "AD") == sample_montage(images, "AD")

    def test_a_pale_synthetic_block_looks_pale(self, rng):
        real = rng.random((2, 12, 12)) * 0.5 + 0.5

        picture = np.asarray(opened(reconstruction_montage(real, real * 0.2)).convert("L")).astype(float)

        left, right = np.hsplit(picture[picture.shape[0] // 3 : -picture.shape[0] // 3, : picture.shape[1] // 2 * 2], 2)
        assert np.median(left) > np.median(right) + 40

    def test_no_global_figure_is_ever_opened(self, rng):
        plt.close("all")

        sample_montage(rng.random((3, 8, 9)), "AD")

        assert plt.get_fignums() == []
