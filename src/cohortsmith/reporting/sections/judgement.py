"""Does it help? The verdict first, then what it rests on."""

import pandas as pd

from cohortsmith.evaluation.verdict import BROKEN, CANNOT_TELL, HARMS, HELPS, NO_DIFFERENCE
from cohortsmith.reporting.blocks import Block, Bullets, Paragraph, Picture, Section, Table
from cohortsmith.reporting.content import Judgement, ReportContent
from cohortsmith.reporting.figures.arm_scores import draw_arm_scores
from cohortsmith.reporting.figures.paired_differences import draw_paired_differences
from cohortsmith.reporting.tables import as_table, interval_text, mean_and_spread

ENLARGED = "real+synthetic"  # the arm the study is about: its verdict opens the report
TONES = {HELPS: "good", HARMS: "bad", NO_DIFFERENCE: "unsure", CANNOT_TELL: "unsure", BROKEN: "warning"}
_METRICS = {
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "auc": "AUC",
}
_EFFECT_SIZES = (
    "How large each arm's effect is. Cohen dz: the difference divided by its spread over subjects (0.2 small, 0.5 "
    "medium, 0.8 large). Better subjects, better seeds: share of test subjects, and of pairs of runs, that the arm "
    "does better on; 0.5 is no effect. p-values are also given corrected for the number of arms."
)
_CALIBRATION = (
    "Whether a probability means what it says. Brier: mean squared error of the probabilities, 0.25 for a coin. "
    "Errors: mean distance between probability and share of patients, in ten bins of equal width or equal mass. "
    "To be compared between arms, not between studies."
)


def judgement_section(content: ReportContent) -> Section:
    """Say whether synthetic scans help, or why that was not asked."""
    title = "Do the synthetic scans help?"
    if content.judgement is None:
        why = content.no_judgement or "No classifiers were trained in this run."
        return Section("verdict", title, [Paragraph(f"Not judged. {why}", "absent")])
    return Section("verdict", title, [*_verdicts(content.judgement), *_evidence(content.judgement)])


def _verdicts(judgement: Judgement) -> list[Block]:
    if not judgement.verdicts:
        return [Paragraph("No arm could be compared with real images alone.", "absent")]
    lines: list[Block] = [
        Paragraph(_capitalised(verdict.sentence), TONES.get(verdict.word, "unsure"))
        for verdict in judgement.verdicts
        if verdict.arm == ENLARGED
    ]
    others = [_capitalised(verdict.sentence) for verdict in judgement.verdicts if verdict.arm != ENLARGED]
    if others:
        lines += [Paragraph("The other arms, for comparison:"), Bullets(others)]
    return [*lines, Paragraph(judgement.rule, "small")]


def _evidence(judgement: Judgement) -> list[Block]:
    blocks: list[Block] = [
        Picture(
            draw_arm_scores(judgement.scores, judgement.arms),
            "Balanced accuracy of every arm on each test set: one dot per seed, the mean with its interval.",
            "Balanced accuracy on real test subjects: one dot per seed, diamond and line the mean with its interval "
            "over seeds and subjects. The random-labels arm must lie at chance.",
        )
    ]
    if len(judgement.differences):
        blocks.append(
            Picture(
                draw_paired_differences(judgement.differences, judgement.smallest_effect),
                "Difference in balanced accuracy of each arm to real images alone, with intervals, per test set.",
                "Each arm minus real images alone, paired by seed and subject. Grey band: too small to matter "
                f"(±{judgement.smallest_effect:g}). Green: the whole interval above zero; orange: below.",
            )
        )
        blocks.append(_differences_table(judgement.differences))
    return [*blocks, _arms_table(judgement.arms), *_further_tables(judgement)]


def _further_tables(judgement: Judgement) -> list[Block]:
    tables = (judgement.effect_sizes, _EFFECT_SIZES), (judgement.calibration, _CALIBRATION)
    return [as_table(table, caption) for table, caption in tables if table is not None and len(table)]


def arm_rows(arms: pd.DataFrame) -> list[list[str]]:
    """Word one row per test set and arm: mean ± sd over seeds of every metric."""
    return [
        [
            str(row["test_set"]),
            str(row["arm"]),
            str(row["n_seeds"]),
            *(mean_and_spread(row[f"{metric}_mean"], row[f"{metric}_sd"]) for metric in _METRICS),
            interval_text(row["low"], row["high"]),
        ]
        for row in arms.to_dict("records")
    ]


def arm_header() -> list[str]:
    """Name the columns of `arm_rows`."""
    return ["test set", "arm", "seeds", *_METRICS.values(), "interval"]


def _arms_table(arms: pd.DataFrame) -> Table:
    header = arm_header()
    caption = "Mean ± standard deviation over seeds; interval of the mean balanced accuracy over seeds and subjects."
    return Table(caption, header, arm_rows(arms), [False, False, *[True] * (len(header) - 2)])


def _differences_table(differences: pd.DataFrame) -> Table:
    rows = [
        [
            str(row["test_set"]),
            str(row["arm"]),
            f"{row['difference']:+.3f}",
            interval_text(row["low"], row["high"], 3, "+"),
            f"{row['confidence']:.1%}",
            str(row["n_seeds"]),
            f"{row['n_controls']} + {row['n_patients']}",
        ]
        for row in differences.to_dict("records")
    ]
    header = ["test set", "arm", "difference", "interval", "at", "seeds", "controls + patients"]
    return Table("Balanced accuracy minus that of real images alone.", header, rows, [False, False, *[True] * 5])


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
