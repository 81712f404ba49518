import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.phantom import draw_cohort
from cohortsmith.imaging.phantom.cohort import TABLE_1_5

LARGE = PhantomConfig(n_subjects=3000, n_external=3000)


@pytest.mark.parametrize("study", ["training", "external"])
def test_the_same_seed_draws_the_same_cohort_and_another_seed_another(study):
    once, again = (draw_cohort(PhantomConfig(), study) for _ in range(2))
    pd.testing.assert_frame_equal(once, again)
    assert not once.equals(draw_cohort(PhantomConfig(seed=1), study))


@pytest.mark.parametrize(("study", "size"), [("training", 100), ("external", 40)])
def test_a_cohort_is_balanced_and_complete(study, size):
    cohort = draw_cohort(PhantomConfig(), study)
    assert cohort["diagnosis"].value_counts().to_dict() == {"CN": size // 2, "AD": size // 2}
    assert cohort["subject"].is_unique
    assert cohort["site"].nunique() > 1
    assert cohort["mmse"].between(0, 30).all()
    assert not cohort.isna().any(axis=None)


def test_no_subject_is_in_both_studies():
    studies = [set(draw_cohort(PhantomConfig(), study)["subject"]) for study in ("training", "external")]
    assert not set.intersection(*studies)


def test_an_empty_external_study_keeps_its_columns():
    empty = draw_cohort(PhantomConfig(n_external=0), "external")
    assert len(empty) == 0
    assert list(empty) == list(draw_cohort(PhantomConfig(), "external"))


@pytest.mark.statistical
@pytest.mark.parametrize("study", ["training", "external"])
def test_neither_name_nor_order_nor_site_tells_the_diagnosis(study):
    cohort = draw_cohort(LARGE, study)
    sick = cohort["diagnosis"] == "AD"
    assert list(cohort["subject"]) == sorted(cohort["subject"])
    assert stats.mannwhitneyu(np.flatnonzero(sick), np.flatnonzero(~sick)).pvalue > 0.001
    runs = 1 + int((sick.to_numpy()[1:] != sick.to_numpy()[:-1]).sum())
    assert runs == pytest.approx(1501, abs=4 * np.sqrt(750))  # Wald and Wolfowitz, 1500 + 1500
    assert stats.chi2_contingency(pd.crosstab(cohort["site"], sick)).pvalue > 0.001


@pytest.mark.statistical
@pytest.mark.parametrize(("study", "label"), list(TABLE_1_5))
def test_groups_are_as_in_the_published_table(study, label):
    group = draw_cohort(LARGE, study).query("diagnosis == @label")
    wanted = TABLE_1_5[study, label]
    assert group["age"].mean() == pytest.approx(wanted.age[0], abs=0.6)
    assert group["age"].std() == pytest.approx(wanted.age[1], abs=0.5)
    assert (group["sex"] == "M").mean() == pytest.approx(wanted.men, abs=4 * np.sqrt(0.25 / 1500))
    assert group["mmse"].mean() == pytest.approx(wanted.mmse[0], abs=0.5)
    assert group["mmse"].std() == pytest.approx(wanted.mmse[1], abs=0.5)
