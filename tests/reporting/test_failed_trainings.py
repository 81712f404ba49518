"""Trainings that came to nothing are named in the report and at the end of the run."""

from dataclasses import replace

import pandas as pd

from cohortsmith.evaluation.failed_trainings import FailedTraining
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.report import render_report
from cohortsmith.reporting.sections.failed_trainings import count_failed
from cohortsmith.reporting.summary import end_of_run

FAILED = pd.DataFrame(
    [
        FailedTraining("train-12", "baseline", "real+classic", 1, None, "hardly learned", 20, 0.6998),
        FailedTraining("train-50", "baseline", "real+classic", 1, None, "hardly learned", 40, 0.71),
        FailedTraining("train-50", "baseline", "synthetic", 0, None, "diverged"),
    ]
)


def test_failures_are_counted_by_arm_and_it_is_said_what_became_of_them():
    told = count_failed(FAILED)

    assert "2 trainings (real+classic: 2) hardly learned" in told and "at least 0.66" in told
    assert "1 training (synthetic: 1) diverged" in told


def test_only_what_happened_is_told():
    assert "diverged" not in count_failed(FAILED[:2])
    assert "hardly" not in count_failed(FAILED[2:])


def test_the_report_names_each_one_beside_the_verdict(study):
    html = render_report(ReportContent(study.run, judgement=replace(study.judgement, failed=FAILED)))
    told = html[html.index('id="verdict"') :]

    assert "Trainings that failed: 3" in told and "hardly learned" in told and "train-12" in told


def test_the_end_of_the_run_says_so_too(study):
    assert "hardly learned" in end_of_run(replace(study.judgement, failed=FAILED), "report.html", "make ui")


def test_nothing_is_said_where_all_went_well(study):
    for failed in (None, FAILED[:0]):
        judgement = replace(study.judgement, failed=failed)
        assert "Trainings that failed" not in render_report(ReportContent(study.run, judgement=judgement))
        assert "hardly learned" not in end_of_run(judgement, "report.html", "make ui")
