"""What the report says of likeness, copies, membership and groups of subjects."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.run import RunConfig
from cohortsmith.evaluation.calibration import calibrate_arms
from cohortsmith.evaluation.effect_sizes import size_effects
from cohortsmith.evaluation.scores import compare_arms
from cohortsmith.evaluation.subgroups import SubgroupEffect
from cohortsmith.reporting.content import Fidelity, ReportContent
from cohortsmith.reporting.methods import describe_methods
from cohortsmith.reporting.report import render_report
from cohortsmith.reporting.sections.subgroups import subgroup_sections
from cohortsmith.reporting.works import works_cited

STUDY = {"name": "own", "source": "bids", "labels": ["CN", "AD"]}
ATTACK = {"auc": 0.55, "low": 0.45, "high": 0.65, "closer_share": 0.6, "expected_share": 0.5, "p_value": 0.2}
COUNTS = {"n_training": 30, "n_held_out": 20, "confidence": 1 - 0.05 / 6, "shown": False}


def section(page: str, anchor: str) -> str:
    found = re.search(rf'<section id="{anchor}">.*?</section>', page, re.DOTALL)
    return found.group(0) if found else ""


def attacks(**changes) -> pd.DataFrame:
    rows = [{"space": space, **ATTACK, **COUNTS} for space in ("images", "reconstructions", "codes")]
    rows[1] |= changes
    return pd.DataFrame(rows)


def copies(study, **changes) -> str:
    generator = replace(study.generators[0], neighbours=(), real=None, history=None, **changes)
    return section(render_report(ReportContent(study.run, generators=(generator,))), "copies")


class TestDescent:
    LINEAGE = pd.DataFrame(
        [
            ("train-full", "synthetic", "CN", "aaaa1111", "sub-1"),
            ("train-full", "synthetic", "CN", "aaaa1111", "sub-2"),
            ("train-full", "synthetic", "AD", "bbbb2222", "sub-3"),
            ("fold-1", "vae", "AD", "cccc3333", "sub-3"),
        ],
        columns=["partition", "origin", "diagnosis", "generator", "participant_id"],
    )

    def test_each_generator_is_listed_with_how_many_subjects_it_saw(self, study):
        found = section(render_report(ReportContent(study.run, lineage=self.LINEAGE)), "copies")
        assert "Whom the 3 generators of this run saw" in found
        cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>.*?</tr>", found, re.DOTALL)]
        assert ["train-full", "synthetic", "CN", "aaaa1111", "2"] in cells
        assert ["fold-1", "vae", "AD", "cccc3333", "1"] in cells

    def test_it_names_no_subject(self, study):
        assert "sub-" not in section(render_report(ReportContent(study.run, lineage=self.LINEAGE)), "copies")

    def test_without_generators_nothing_is_said(self, study):
        assert "Descent" not in render_report(ReportContent(study.run))


def groups(*changes: dict) -> pd.DataFrame:
    row = SubgroupEffect(
        "test", "real+synthetic", "sex", "F", 5, 20, 21, False, 0.1, 0.02, 0.18, 0.07, -0.1, 0.24, 0.95, 0.4, 0.8
    )
    return pd.DataFrame([row._replace(**change) for change in changes])


def subgroups(study, table: pd.DataFrame) -> str:
    content = ReportContent(study.run, judgement=replace(study.judgement, subgroups=table))
    return "".join(str(one.blocks) for one in subgroup_sections(content))


class TestFidelity:
    def test_every_diagnosis_has_its_sentences_and_a_column_of_numbers(self, nothing):
        table = pd.DataFrame({"diagnosis": ["CN", "AD"], "n_held_out": [20, 19], "mmd": [0.012, np.nan]})
        words = {"CN": ["80% of synthetic images"], "AD": ["Not compared: 2 scans"]}

        told = section(render_report(replace(nothing, fidelity=Fidelity(table, words))), "fidelity")

        assert "80% of synthetic images" in told and "Not compared: 2 scans" in told
        assert re.findall(r"<td[^>]*>([^<]*)</td>", told) == ["held-out scans", "20", "19", "MMD", "0.012", "–"]

    def test_volumes_of_tissues_are_in_millilitres_beside_those_of_held_out_scans(self, nothing):
        row = {"diagnosis": "AD", "region": "ventricles", "n": 12, "sd_ml": 2.0, "hedges_g": 0.5}
        made = {**row, "source": "synthetic", "mean_ml": 30.0, "difference": 4.25, "low": 1.0, "high": 7.5}
        real = {**row, "source": "held_out", "mean_ml": 25.75, "difference": None, "low": None, "high": None}
        found = Fidelity(
            pd.DataFrame({"diagnosis": ["AD"]}), {}, pd.DataFrame([made, real]), {"AD": ["ventricles: larger."]}
        )

        told = section(render_report(replace(nothing, fidelity=found)), "fidelity")

        assert "AD, ventricles: larger." in told
        assert re.findall(r"<td[^>]*>([^<]*)</td>", told)[4:8] == ["30.0 ± 2.0", "4.2", "[+1.0, +7.5]", "0.50"]
        assert "held-out" in told

    def test_gan_train_and_gan_test_stand_beside_the_baseline(self, nothing):
        scores = pd.DataFrame(
            {
                "training_set": "train-full",
                "net": "baseline",
                "score": ["baseline", "gan-test"],
                "trained_on": ["real", "real"],
                "tested_on": ["real", "synthetic"],
                "balanced_accuracy_mean": [0.7, 0.9],
                "balanced_accuracy_sd": [0.01, 0.02],
            }
        )
        found = Fidelity(pd.DataFrame({"diagnosis": ["AD"]}), {}, gan=scores, gan_words=["GAN-test is above."])

        told = section(render_report(replace(nothing, fidelity=found)), "fidelity")

        assert "GAN-test is above." in told
        assert "0.90 ± 0.02" in told

    def test_without_it_there_is_no_section(self, nothing):
        assert 'id="fidelity"' not in render_report(nothing)


class TestCopies:
    def test_scans_in_quarantine_are_counted_with_a_warning(self, study):
        told = copies(study, n_quarantined=7, n_screened=100)

        assert "7 of 100 synthetic scans are in quarantine" in told
        assert 'class="warning"' in told

    def test_none_in_quarantine_needs_no_warning(self, study):
        assert "in quarantine" not in copies(study, n_screened=100)

    def test_an_attack_that_succeeds_is_named_by_its_space(self, study):
        told = copies(study, membership=attacks(auc=0.9, low=0.8, high=1.0, shown=True))

        assert "signs of who was trained on (compared by: reconstructions)" in told

    def test_attacks_that_fail_are_no_proof(self, study):
        told = copies(study, membership=attacks())

        assert "A stronger one may be" in told
        assert "Blurred copies escape" in told

    def test_the_table_counts_subjects_and_says_how_it_is_corrected(self, study):
        told = copies(study, membership=attacks())

        assert ">training subjects</th>" in told and ">held-out subjects</th>" in told
        assert "Intervals at 99.2%, and a share counts as a sign below p = 0.0083" in told

    def test_a_study_too_small_to_be_attacked_shows_no_table(self, study):
        assert "attacks on membership." not in copies(study, membership=attacks().iloc[:0])


class TestSubgroups:
    def test_groups_that_can_be_judged_are_shown_and_the_others_counted(self, study):
        told = subgroups(study, groups({}, {"group": "M", "too_few": True}))

        assert "sex F" in told and "+0.100" in told and "[+0.020, +0.180]" in told
        assert "sex M" not in told
        assert "1 of 2 groups" in told

    def test_groups_of_other_arms_are_left_to_the_table(self, study):
        assert subgroups(study, groups({"arm": "synthetic"})) == ""

    @pytest.mark.parametrize("too_few", [True, False])
    def test_all_or_none_judged_is_no_error(self, study, too_few):
        told = subgroups(study, groups({"too_few": too_few}))

        assert ("Table(" in told) != too_few
        assert ("too few subjects or seeds" in told) == too_few


def test_effect_sizes_and_calibration_stand_below_the_arms(study, table_of_predictions):
    differences = compare_arms(table_of_predictions, 0.95, 100, np.random.default_rng(0))
    further = {
        "effect_sizes": size_effects(table_of_predictions, differences),
        "calibration": calibrate_arms(table_of_predictions),
    }

    content = ReportContent(study.run, judgement=replace(study.judgement, **further))
    told = section(render_report(content), "verdict")

    assert "cohen dz" in told and "p holm" in told
    assert "brier" in told and "pooled equal mass" in told and "error mean" in told


def test_the_limits_say_what_intervals_and_screens_hold_for(nothing):
    told = section(render_report(nothing), "limits")

    for text in ("hold for this training cohort", "no proof of privacy or of anonymity", "Blurred copies escape"):
        assert text in told


@pytest.mark.parametrize(
    ("judge", "is_told"),
    [({}, False), ({"draws": "shared"}, True), ({"quarantine": "exclude", "n_synthetic": 10}, True)],
    ids=["a draw per seed", "one draw", "only what was screened"],
)
def test_intervals_that_do_not_cover_the_draw_are_confessed(study, judge, is_told):
    config = RunConfig.model_validate({"study": STUDY, "judge": judge})
    told = section(render_report(replace(study, config=config)), "limits")

    assert "were trained once" in told
    assert ("the same draw of synthetic scans" in told) is is_told
    assert ("drawn anew for every seed" in describe_methods(config)) is not is_told


@pytest.mark.parametrize(("quarantine", "words"), [("report", "kept in"), ("exclude", "left out of")])
def test_the_methods_say_what_was_done_with_flagged_scans(quarantine, words):
    methods = describe_methods(RunConfig.model_validate({"study": STUDY, "judge": {"quarantine": quarantine}}))

    assert f"flags were {words} the classifiers' training" in methods
    assert [work.split()[0] for work in works_cited(methods)][-4:] == ["Kynkäänniemi", "Naeem", "Gretton", "Wang"]
