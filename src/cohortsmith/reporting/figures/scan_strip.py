"""One scan's planes side by side, with the template's edges over them: small, and quick enough for hundreds."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cohortsmith.reporting.figures.planes import as_bytes, edges

HEIGHT, GAP = 150, 4  # pixels
_EDGE_COLOUR = (255, 196, 0)
_BLEND = 0.85


def draw_scan_strip(planes: Sequence[NDArray[Any]], template: Sequence[NDArray[Any]] = ()) -> bytes:
    """Draw planes (rows, columns) in one row of PNG, `HEIGHT` pixels high, template edges in amber."""
    tiles = [
        _overlay(_scaled(plane), _scaled(template[index]) if template else None) for index, plane in enumerate(planes)
    ]
    width = sum(tile.shape[1] for tile in tiles) + GAP * (len(tiles) - 1)
    strip = np.zeros((HEIGHT, width, 3), dtype=np.uint8)
    left = 0
    for tile in tiles:
        top = (HEIGHT - tile.shape[0]) // 2
        strip[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
        left += tile.shape[1] + GAP
    stream = io.BytesIO()
    Image.fromarray(strip).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _scaled(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Enlarge or shrink to `HEIGHT`, keeping the pixels square."""
    rows, columns = plane.shape
    size = (max(1, round(columns * HEIGHT / rows)), HEIGHT)
    return np.asarray(Image.fromarray(as_bytes(plane)).resize(size, Image.Resampling.BILINEAR))


def _overlay(grey: NDArray[np.uint8], template: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    colour = np.repeat(grey[:, :, None], 3, axis=2).astype(float)
    if template is not None:
        drawn = edges(template)
        colour[drawn] = (1 - _BLEND) * colour[drawn] + _BLEND * np.array(_EDGE_COLOUR)
    return colour.astype(np.uint8)
