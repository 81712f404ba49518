"""What stands on the screen when a run ends: the arms, the verdict, where the report is, how to open MLflow."""

import textwrap

import pandas as pd

from cohortsmith.reporting.content import Judgement
from cohortsmith.reporting.sections.failed_trainings import count_failed
from cohortsmith.reporting.sections.judgement import arm_header, arm_rows
from cohortsmith.reporting.setting_tables import by_setting, worded

WIDTH = 110  # columns


def end_of_run(
    judgement: Judgement | None, report: str, ui_command: str, no_judgement: str = "", scans: str = ""
) -> str:
    """Write the closing text of a run, at most `WIDTH` columns wide but for the last two lines.

    scans: how many were used and set aside.
    """
    if judgement is None:
        told = [f"Not judged. {no_judgement or 'No classifiers were trained in this run.'}"]
    else:
        told = [*_settings(judgement.arms), "", *(_wrapped(verdict.sentence) for verdict in judgement.verdicts)]
        failed = judgement.failed
        told += [] if failed is None or failed.empty else ["", _wrapped(count_failed(failed))]
    counted = [f"Scans:   {scans}"] if scans else []
    return "\n".join([*told, "", *counted, f"Report:  {report}", f"MLflow:  {ui_command}"]) + "\n"


def _wrapped(sentence: str) -> str:
    return textwrap.fill(sentence, WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def _settings(arms: pd.DataFrame) -> list[str]:
    parts = by_setting(arms)
    if len(parts) == 1:
        return [_arms(part) for part in parts.values()]
    return [f"{worded(setting)}\n{_arms(part)}\n" for setting, part in parts.items()]


def _arms(arms: pd.DataFrame) -> str:
    lines = [arm_header(), *arm_rows(arms)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([padded[0], "  ".join("-" * width for width in widths), *padded[1:]])
