"""Does it help? The verdict first, then what it rests on."""

import numpy as np
import pandas as pd

from cohortsmith.evaluation.settings import Setting
from cohortsmith.evaluation.verdict import BROKEN, CANNOT_TELL, HARMS, HELPS, NO_DIFFERENCE
from cohortsmith.reporting.arm_names import is_enlarged, read_arm
from cohortsmith.reporting.blocks import Block, Bullets, Details, Paragraph, Picture, Section, Table
from cohortsmith.reporting.content import Judgement, ReportContent
from cohortsmith.reporting.figures.arm_scores import draw_arm_scores
from cohortsmith.reporting.figures.dose_response import doses_of, draw_dose_response
from cohortsmith.reporting.figures.paired_differences import draw_paired_differences
from cohortsmith.reporting.sections.architecture_search import search_blocks
from cohortsmith.reporting.sections.failed_trainings import failed_trainings
from cohortsmith.reporting.setting_tables import by_setting, rows_of, without_setting, worded
from cohortsmith.reporting.tables import as_table, interval_text, mean_and_spread, readable

TONES = {HELPS: "good", HARMS: "bad", NO_DIFFERENCE: "unsure", CANNOT_TELL: "unsure", BROKEN: "warning"}
_MANY = 8  # sentences that a reader is shown without asking
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
    "Errors: mean distance between probability and share of patients, in ten bins. Error mean, error sd: over runs, of "
    "each run's own error (bins of equal width). Pooled (equal width, equal mass): of all runs' probabilities taken "
    "together, where what one run says too high and another too low cancels. To be compared between arms, not between "
    "studies."
)


_SHARES = {
    "half": "half of every batch of real + synthetic is real whatever the number: more synthetic scans bring variety, "
    "neither a larger share of what is seen nor longer training.",
    "concatenated": "batches of real + synthetic are drawn from both put together: more synthetic scans bring variety "
    "and displace real ones, but no longer training.",
}


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
    leading = _leading_arms(judgement)
    lines: list[Block] = [
        Paragraph(_capitalised(verdict.sentence), TONES.get(verdict.word, "unsure"))
        for verdict in judgement.verdicts
        if verdict.arm in leading
    ]
    others = [_capitalised(verdict.sentence) for verdict in judgement.verdicts if verdict.arm not in leading]
    if len(others) > _MANY:
        lines.append(Details(f"The other arms, for comparison: {len(others)} sentences", [Bullets(others)]))
    elif others:
        lines += [Paragraph("The other arms, for comparison:"), Bullets(others)]
    return [*lines, Paragraph(judgement.rule, "small")]


def _leading_arms(judgement: Judgement) -> set[str]:
    """Name the arm the study is about: with several numbers of synthetic scans, the largest, named beforehand."""
    enlarged = {verdict.arm for verdict in judgement.verdicts if is_enlarged(verdict.arm)}
    return {max(enlarged, key=lambda arm: read_arm(arm).dose or 0)} if enlarged else set()


def _evidence(judgement: Judgement) -> list[Block]:
    settings = by_setting(judgement.arms)
    blocks = [block for setting in settings for block in _of_setting(judgement, setting, several=len(settings) > 1)]
    failed = failed_trainings(judgement.failed)
    return [
        *failed,
        *_doses(judgement),
        *blocks,
        *_reference_lines(judgement.reference_lines),
        *search_blocks(judgement),
        *_further_tables(judgement),
    ]


def _of_setting(judgement: Judgement, setting: Setting, *, several: bool) -> list[Block]:
    arms, scores = rows_of(judgement.arms, setting), rows_of(judgement.scores, setting)
    differences = rows_of(judgement.differences, setting)
    assert arms is not None
    suffix = "_".join(["", *setting]).replace("-", "_") if several else ""
    blocks: list[Block] = [Paragraph(f"{_capitalised(worded(setting))}:", "setting")] * several
    if scores is not None:
        blocks.append(_scores_picture(scores, arms, f"arm_scores{suffix}"))
    if differences is not None and len(differences):
        blocks.append(_differences_picture(differences, judgement.smallest_effect, f"paired_differences{suffix}"))
        blocks.append(_differences_table(differences))
    return [*blocks, _arms_table(arms)]


def _scores_picture(scores: pd.DataFrame, arms: pd.DataFrame, name: str) -> Picture:
    return Picture(
        draw_arm_scores(scores, arms),
        "Balanced accuracy of every arm on each test set: one dot per run, the mean with its interval.",
        "Balanced accuracy on real test subjects: one dot per run (seed, or repeat of a cross-validation), diamond and "
        "line the mean with its interval over runs and subjects. The random-labels arm must lie at chance.",
        name=name,
    )


def _differences_picture(differences: pd.DataFrame, smallest_effect: float, name: str) -> Picture:
    return Picture(
        draw_paired_differences(differences, smallest_effect),
        "Difference in balanced accuracy of each arm to real images alone, with intervals, per test set.",
        "Each arm minus real images alone, paired by seed and subject. Grey band: too small to matter "
        f"(±{smallest_effect:g}). Green: the whole interval above zero; orange: below.",
        name=name,
    )


def _doses(judgement: Judgement) -> list[Block]:
    dosed = doses_of(judgement.differences)
    if dosed["dose"].nunique() < 2:
        return []
    return [
        Picture(
            draw_dose_response(judgement.differences, judgement.smallest_effect),
            "Difference in balanced accuracy to real images alone over the number of synthetic scans, per test set.",
            "What more synthetic scans bring: balanced accuracy minus that of real images alone, with intervals, over "
            "the number of synthetic scans per diagnosis. Points are shifted a little so that none hides another; all "
            "panels have one scale, and intervals that are longer than it are cut. Networks take the same number of "
            f"steps in every arm, and {_SHARES[judgement.mixture]} "
            f"Grey band: too small to matter (±{judgement.smallest_effect:g}).",
            name="dose_response",
        )
    ]


def _reference_lines(lines: pd.DataFrame | None) -> list[Block]:
    if lines is None or lines.empty:
        return []
    rows = [
        [
            *(str(row.get(name, "")) for name in ("training_set", "test_set")),
            readable(str(row["column"])),
            mean_and_spread(row["balanced_accuracy_mean"], row["balanced_accuracy_sd"]),
            interval_text(*np.clip([row["low"], row["high"]], 0, 1)),
        ]
        for row in lines.to_dict("records")
    ]
    caption = (
        "What one clinical number alone tells, by a logistic regression on the same training subjects: the line that a "
        "classifier of images has to pass."
    )
    header = ["training set", "test set", "number", "balanced accuracy", "interval"]
    return [Table(caption, header, rows, [False] * 3 + [True] * 2)]


def _further_tables(judgement: Judgement) -> list[Block]:
    tables = {
        "How large the effects are": (judgement.effect_sizes, _EFFECT_SIZES),
        "Whether the probabilities can be believed": (judgement.calibration, _CALIBRATION),
    }
    return [
        Details(summary, [as_table(without_setting(table), caption)])
        for summary, (table, caption) in tables.items()
        if table is not None and len(table)
    ]


def arm_rows(arms: pd.DataFrame) -> list[list[str]]:
    """Word one row per test set and arm: mean ± sd over seeds of every metric."""
    return [
        [
            str(row["test_set"]),
            str(row["arm"]),
            str(row["n_seeds"]),
            *(mean_and_spread(row[f"{metric}_mean"], row[f"{metric}_sd"]) for metric in _METRICS),
            interval_text(*np.clip([row["low"], row["high"]], 0, 1)),
        ]
        for row in arms.to_dict("records")
    ]


def arm_header() -> list[str]:
    """Name the columns of `arm_rows`."""
    return ["test set", "arm", "seeds", *_METRICS.values(), "interval"]


def _arms_table(arms: pd.DataFrame) -> Table:
    header = arm_header()
    caption = (
        "Mean ± standard deviation over runs (seeds, or repeats); interval of the mean balanced accuracy over runs and "
        "subjects, cut at 0 and 1."
    )
    return Table(caption, header, arm_rows(arms), [False, False, *[True] * (len(header) - 2)])


def _differences_table(differences: pd.DataFrame) -> Table:
    rows = [
        [
            str(row["test_set"]),
            str(row["arm"]),
            f"{row['difference']:+z.3f}",
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
