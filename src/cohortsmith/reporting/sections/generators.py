"""What the generators learned and what they make."""

from collections.abc import Sequence

import pandas as pd

from cohortsmith.reporting.blocks import Block, Paragraph, Picture, Section
from cohortsmith.reporting.content import Generator, ReportContent
from cohortsmith.reporting.figures.image_grid import SHOWN, draw_image_grid
from cohortsmith.reporting.figures.training_curves import draw_training_curves
from cohortsmith.reporting.tables import as_columns


def generators_section(content: ReportContent) -> Section:
    """Show real beside synthetic scans, training curves and the chains' diagnostics."""
    title = "What do the synthetic scans look like?"
    if not content.generators:
        return Section("generators", title, [Paragraph("No generator was trained in this run.", "absent")])
    pictures = [block for generator in content.generators for block in _examples(generator)]
    return Section("generators", title, [*pictures, *_curves(content.generators), *_diagnostics(content.generators)])


def _examples(generator: Generator) -> list[Block]:
    if not _has(generator.real) or not _has(generator.synthetic):
        return [Paragraph(f"No synthetic scans of {generator.label} were drawn.", "absent")]
    blocks = {
        f"{generator.label}: real (training)": generator.real,
        f"{generator.label}: synthetic": generator.synthetic,
    }
    return [
        Picture(
            draw_image_grid(blocks, SHOWN),  # type: ignore[arg-type]
            f"Real and synthetic scans of {generator.label} side by side",
            f"{generator.label}: the first {SHOWN} training scans and the first {SHOWN} synthetic scans, not chosen, "
            "on one grey scale.",
        )
    ]


def _curves(generators: Sequence[Generator]) -> list[Block]:
    histories = {one.label: one.history for one in generators if one.history is not None and len(one.history)}
    if not histories:
        return [Paragraph("No training curves were kept.", "absent")]
    return [
        Picture(
            draw_training_curves(histories),
            "Evidence lower bound, reconstruction and divergence over the epochs, one line per diagnosis",
            "Training of the generators, mean per image. The step marks the end of the warm-up, where the Hamiltonian "
            "flow is switched on.",
        )
    ]


def _diagnostics(generators: Sequence[Generator]) -> list[Block]:
    rows = [{"diagnosis": one.label, **one.diagnostics} for one in generators if one.diagnostics]
    if not rows:
        return [Paragraph("No chains were run.", "absent")]
    caption = (
        "The chains that drew the latent points. Acceptance: of Hamiltonian Monte Carlo proposals. Void share: of "
        "draws far from every training subject, where the decoder is unconstrained. Distances are in latent units."
    )
    return [as_columns(pd.DataFrame(rows).set_index("diagnosis"), caption)]


def _has(images: object) -> bool:
    return images is not None and len(images) > 0  # type: ignore[arg-type]
