"""Pictures for the tracker: what a generator makes, and what it makes of real images."""

from typing import Any

from numpy.typing import NDArray

from cohortsmith.reporting.figures.image_grid import draw_image_grid


def sample_montage(synthetic: NDArray[Any], label: str, shown: int = 8) -> bytes:
    """Draw the first synthetic images (n, *shape) of one diagnosis as PNG."""
    return draw_image_grid({f"synthetic {label}": synthetic}, shown)


def reconstruction_montage(originals: NDArray[Any], reconstructions: NDArray[Any], shown: int = 4) -> bytes:
    """Draw images (n, *shape) beside what the generator makes of them, in the same order, as PNG."""
    return draw_image_grid({"original": originals, "reconstruction": reconstructions}, shown)
