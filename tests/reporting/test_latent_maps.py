"""The maps show what they should where they should, and survive voids and missing labels."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from cohortsmith.core.planes import grid_around, grid_points
from cohortsmith.reporting.figures.style import DOTS_PER_INCH
from cohortsmith.reporting.latent_maps import (
    GEODESIC,
    STRAIGHT,
    WIDTH,
    Codes,
    LatentMap,
    draw_anisotropy,
    draw_distances,
    draw_interpolations,
    draw_log_volume,
    draw_ways,
    latent_map,
)

AXIS = np.linspace(-3, 3, 40)
HEIGHT = np.add.outer(AXIS, np.zeros(40))  # rises from the lowest row to the highest
MAP = LatentMap(AXIS, AXIS, HEIGHT, ("first", "second"))
CODES = Codes(np.array([[-2.0, -2.0], [2.0, 2.0], [0.5, -1.0], [-1.0, 1.5]]), ["CN", "AD", "CN", "AD"])
WAY = np.stack([np.linspace(-2, 2, 50), 2 - 0.5 * np.linspace(-2, 2, 50) ** 2], axis=1)
LINE = np.stack([np.linspace(-2, 2, 50), np.zeros(50)], axis=1)


def pixels(png):
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    return np.asarray(picture.convert("RGB")).astype(float) / 255


def rows_of(png, colour):
    """Find the pixel rows, as shares of the height from the top, in which a colour is drawn on the map itself."""
    picture = pixels(png)
    map_only = picture[: int(0.8 * len(picture)), : int(0.8 * picture.shape[1])]
    return np.nonzero(np.abs(map_only - to_rgb(colour)).max(axis=2) < 0.05)[0] / len(picture)


DRAWINGS = {
    "volume": draw_log_volume,
    "anisotropy": lambda shown, codes: draw_anisotropy(shown._replace(values=np.abs(shown.values) / 4), codes),
    "distances": lambda shown, codes: draw_distances(
        shown._replace(values=shown.values + 3), codes.coordinates[0], codes
    ),
    "ways": lambda shown, codes: draw_ways(shown, WAY, LINE, codes),
}


@pytest.mark.parametrize("drawing", DRAWINGS.values(), ids=DRAWINGS)
class TestEveryMap:
    def test_has_its_size_and_the_same_data_give_the_same_bytes(self, drawing):
        height, width, _ = pixels(drawing(MAP, CODES)).shape

        assert width / DOTS_PER_INCH == pytest.approx(WIDTH, abs=0.01)
        assert 0.5 * width < height < width
        assert drawing(MAP, CODES) == drawing(MAP, CODES)

    def test_is_drawn_without_labels_and_with_holes_in_it(self, drawing):
        holed = HEIGHT.copy()
        holed[5:9, 5:9], holed[20, 20] = np.inf, np.nan

        assert pixels(drawing(MAP._replace(values=holed), CODES._replace(labels=()))).std() > 0.05

    def test_opens_no_global_figure(self, drawing):
        plt.close("all")
        drawing(MAP, CODES)

        assert plt.get_fignums() == []


def test_high_values_are_dark_and_the_first_row_is_at_the_bottom():
    grey = pixels(draw_log_volume(MAP, CODES)).mean(axis=2)
    centre = grey[:, int(0.45 * grey.shape[1])]

    top, bottom = centre[int(0.12 * len(grey))], centre[int(0.72 * len(grey))]
    assert top < 0.3
    assert bottom > 0.7


def test_labels_are_told_apart_by_colour():
    png = draw_log_volume(MAP, CODES)

    assert len(rows_of(png, "#0072B2")) > 20
    assert len(rows_of(png, "#D55E00")) > 20
    assert len(rows_of(draw_log_volume(MAP, CODES._replace(labels=["CN"] * 4)), "#D55E00")) == 0


def test_the_geodesic_rises_above_the_straight_line():
    png = draw_ways(MAP, WAY, LINE, CODES)

    assert rows_of(png, GEODESIC).min() < rows_of(png, STRAIGHT).min() - 0.1
    assert np.ptp(rows_of(png, STRAIGHT)) < 0.03


def test_the_void_does_not_take_all_the_colours():
    near = np.hypot(*np.meshgrid(AXIS, AXIS))
    void = np.where(near > 2.95, 1000.0, near)
    plain, walled = (pixels(draw_distances(MAP._replace(values=values), [0.0, 0.0], CODES)) for values in (near, void))
    middle = (slice(int(0.35 * len(plain)), int(0.55 * len(plain))), slice(350, 520))

    np.testing.assert_allclose(walled[middle], plain[middle], atol=0.02)


def test_a_grid_of_the_latent_space_becomes_a_map_with_named_axes():
    for d, name in ((2, "first latent coordinate"), (4, "first principal axis")):
        codes = torch.randn(30, d, generator=torch.Generator().manual_seed(1))
        points = grid_around(codes, n=5)
        shown = latent_map(points, grid_points(points)[:, 0].reshape(5, 5))

        assert shown.values.shape == (5, 5)
        assert shown.axis_names[0].startswith(name)
        assert isinstance(shown.horizontal, np.ndarray)


def test_the_name_of_a_principal_axis_says_how_much_it_explains():
    codes = torch.diag(torch.tensor([3.0, 1.0, 0.0])) @ torch.tensor([[1.0, -1, 0, 0], [0, 0, 1, -1], [0, 0, 0, 0]])
    shown = latent_map(grid_around(codes.T, n=3), torch.zeros(3, 3))

    assert "90 % of the codes' variance" in shown.axis_names[0]
    assert "10 % of the codes' variance" in shown.axis_names[1]


@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 1), (9, 11, 7)])
def test_strips_take_slices_and_volumes(rng, shape):
    picture = pixels(draw_interpolations(rng.random((6, *shape)), torch.from_numpy(rng.random((6, *shape)))))

    assert picture.shape[1] / DOTS_PER_INCH == pytest.approx(10, abs=0.01)


def test_the_geodesic_s_images_are_above_those_of_the_straight_line():
    bright, dark = np.ones((4, 10, 10)), np.zeros((4, 10, 10))
    picture = pixels(draw_interpolations(bright, dark)).mean(axis=2)
    upper, lower = np.array_split(picture, 2)

    assert np.quantile(lower, 0.3) < 0.1
    assert np.quantile(upper, 0.3) > 0.9
