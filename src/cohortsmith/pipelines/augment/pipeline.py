"""One generator per diagnosis -> latent points -> images, screened for copies -> a BIDS derivative of them."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from .copying_nodes import screen_for_copies, track_screen
from .nodes import (
    decode_latent_points,
    describe_synthetic_folder,
    draw_further_points,
    draw_latent_points,
    track_generator,
    write_synthetic_scans,
)


def create_pipeline(labels: Sequence[str]) -> Pipeline:
    """Build the same nodes for each label."""
    return Pipeline([node for label in labels for node in _augment(label)])


def _augment(label: str) -> list[Node]:
    return [
        Node(
            draw_latent_points,
            [f"{label}.generator", "params:sampler", "params:seed"],
            [f"{label}.latents", f"{label}.chain_diagnostics"],
            name=f"{label}.draw_latent_points",
        ),
        Node(
            draw_further_points,
            [f"{label}.generator", f"{label}.latents", "params:sampler", "params:judge", "params:seed"],
            f"{label}.further_latents",
            name=f"{label}.draw_further_points",
        ),
        Node(
            decode_latent_points,
            [f"{label}.generator", f"{label}.latents"],
            f"{label}.synthetic_images",
            name=f"{label}.decode_latent_points",
        ),
        Node(
            screen_for_copies,
            [
                f"{label}.generator",
                f"{label}.latents",
                f"{label}.synthetic_images",
                "images",
                "splits",
                "params:seed",
            ],
            [f"{label}.copying", f"{label}.quarantine", f"{label}.membership", f"{label}.copying_summary"],
            name=f"{label}.screen_for_copies",
        ),
        Node(
            track_screen,
            [f"{label}.generator", f"{label}.copying", f"{label}.membership"],
            f"{label}.tracked_metrics",
            name=f"{label}.track_screen",
        ),
        Node(
            write_synthetic_scans,
            [
                f"{label}.generator",
                f"{label}.latents",
                f"{label}.synthetic_images",
                "grid",
                "params:seed",
                f"{label}.copying",
                f"{label}.synthetic_scans_done",
                "training.prepared_scans",
            ],
            f"{label}.synthetic_scans",
            name=f"{label}.write_synthetic_scans",
        ),
        Node(
            describe_synthetic_folder,
            ["params:study", f"{label}.generator", f"{label}.copying"],
            f"{label}.synthetic_folder",
            name=f"{label}.describe_synthetic_folder",
        ),
        Node(
            track_generator,
            [
                f"{label}.generator",
                f"{label}.synthetic_images",
                "images",
                "splits",
                f"{label}.chain_diagnostics",
            ],
            f"{label}.tracked_runs",
            name=f"{label}.track_generator",
        ),
    ]
