"""Are synthetic scans like real scans that no generator saw, and as various?"""

import pandas as pd

from cohortsmith.reporting.blocks import Block, Bullets, Paragraph, Section, Table
from cohortsmith.reporting.content import Fidelity, ReportContent
from cohortsmith.reporting.tables import readable, worded

_CAPTION = (
    "Synthetic scans beside real ones of validation and test subjects, one scan each. Features: principal components "
    "of the training scans; precision, recall, density and coverage on sets of equal size, by nearest neighbours. MMD: "
    "squared maximum mean discrepancy, 0 on average if both are of one law. MS-SSIM: mean structural similarity of two "
    "scans of one kind; a synthetic one above the real one means less variety."
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
    return [*blocks, _table(fidelity.table.set_index("diagnosis"))]


def _table(measured: pd.DataFrame) -> Table:
    # one column per diagnosis: there are more numbers than diagnoses
    rows = [[readable(str(name)), *(worded(value) for value in measured[name])] for name in measured]
    labels = [str(label) for label in measured.index]
    return Table(_CAPTION, ["", *labels], rows, [False, *[True] * len(labels)])
