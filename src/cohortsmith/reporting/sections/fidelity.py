"""Are synthetic scans like real scans that no generator saw, and as various?"""

from cohortsmith.reporting.blocks import Block, Bullets, Paragraph, Section, Table
from cohortsmith.reporting.content import Fidelity, ReportContent
from cohortsmith.reporting.tables import as_columns, interval_text, mean_and_spread, worded

_CAPTION = (
    "Synthetic scans beside real ones of validation and test subjects, one scan each. Features: principal components "
    "of the training scans; precision, recall, density and coverage on sets of equal size, by nearest neighbours. MMD: "
    "squared maximum mean discrepancy, 0 on average where both come from the same distribution. MS-SSIM: mean "
    "structural similarity of two scans of one kind; a synthetic one above the real one means less variety."
)

_REGIONS = (
    "Volumes in ml in template space, mean ± standard deviation, and their difference from held-out real scans of the "
    "same diagnosis with its interval. Training scans show how far apart two sets of real scans are."
)
_GAN = (
    "GAN-train: classifiers that saw synthetic scans only, on real test subjects. GAN-test: classifiers that saw real "
    "scans only, on synthetic ones; far above the baseline, synthetic scans show their diagnosis too plainly."
)


def fidelity_sections(content: ReportContent) -> list[Section]:
    """Compare synthetic with held-out real scans, one diagnosis after the other; nothing where it was not measured."""
    if content.fidelity is None:
        return []
    return [Section("fidelity", "Are they like real scans?", _blocks(content.fidelity))]


def _blocks(fidelity: Fidelity) -> list[Block]:
    blocks: list[Block] = []
    for label, sentences in fidelity.words.items():
        blocks += [Paragraph(f"{label}:"), Bullets(sentences)]
    return [*blocks, as_columns(fidelity.table.set_index("diagnosis"), _CAPTION), *_regions(fidelity), *_gan(fidelity)]


def _regions(fidelity: Fidelity) -> list[Block]:
    sentences = [f"{label}, {told}" if label else told for label, of in fidelity.regions_words.items() for told in of]
    blocks: list[Block] = [Paragraph("Volumes of tissues:"), Bullets(sentences)] if sentences else []
    if fidelity.regions is None or fidelity.regions.empty:
        return blocks
    rows = [
        [
            str(row["diagnosis"]),
            str(row["region"]),
            str(row["source"]).replace("_", "-"),
            str(row["n"]),
            mean_and_spread(row["mean_ml"], row["sd_ml"], 1),
            worded(row["difference"], 1),
            interval_text(row["low"], row["high"], 1, "+"),
            worded(row["hedges_g"], 2),
        ]
        for row in fidelity.regions.to_dict("records")
    ]
    header = ["diagnosis", "region", "scans", "number", "ml", "difference", "interval", "Hedges' g"]
    return [*blocks, Table(_REGIONS, header, rows, [False] * 3 + [True] * 5)]


def _gan(fidelity: Fidelity) -> list[Block]:
    if fidelity.gan is None or fidelity.gan.empty:
        return []
    rows = [
        [
            *(str(row.get(name, "")) for name in ("training_set", "net", "score", "trained_on", "tested_on")),
            mean_and_spread(row["balanced_accuracy_mean"], row["balanced_accuracy_sd"]),
        ]
        for row in fidelity.gan.to_dict("records")
    ]
    header = ["training set", "net", "score", "trained on", "tested on", "balanced accuracy"]
    return [Bullets(fidelity.gan_words), Table(_GAN, header, rows, [False] * 5 + [True])]
