"""The tables of a paper: one row per training data, in %, and beside published figures only where they belong."""

from dataclasses import replace
from itertools import product

import pandas as pd
import pytest

from cohortsmith.config.run import RunConfig
from cohortsmith.reporting.arm_names import ArmName, is_enlarged, read_arm
from cohortsmith.reporting.content import Judgement, ReportContent
from cohortsmith.reporting.figures.dose_response import _scale, doses_of
from cohortsmith.reporting.sections.judgement import judgement_section
from cohortsmith.reporting.sections.paper_tables import named, paper_sections
from cohortsmith.reporting.sections.subgroups import subgroup_sections
from cohortsmith.reporting.summary import end_of_run

ARMS = ("real", "synthetic-1000", "synthetic-500", "real+synthetic-500", "real+synthetic-1000")
SETTINGS = tuple(product(("train-50", "train-full"), ("baseline", "optimised")))
ADNI = {"name": "adni", "source": "adni", "labels": ["CN", "AD"], "external_source": "aibl"}
_METRICS = ("balanced_accuracy", "sensitivity", "specificity", "auc")


def arm_row(setting: tuple[str, str], test_set: str, arm: str, accuracy: float) -> dict:
    row = {"training_set": setting[0], "net": setting[1], "test_set": test_set, "arm": arm, "n_seeds": 3}
    row |= {f"{metric}_{part}": accuracy if part == "mean" else 0.01 for metric in _METRICS for part in ("mean", "sd")}
    return row | {"n_controls": 20, "n_patients": 20, "low": accuracy - 0.05, "high": accuracy + 0.05}


def difference_row(setting: tuple[str, str], test_set: str, arm: str, gain: float) -> dict:
    found = {"training_set": setting[0], "net": setting[1], "test_set": test_set, "arm": arm, "difference": gain}
    counts = {"n_seeds": 3, "n_controls": 20, "n_patients": 20}
    return found | {"low": gain - 0.05, "high": gain + 0.05, "confidence": 0.99} | counts


def judged(settings=SETTINGS, arms=ARMS) -> Judgement:
    """Every arm a little better than the one before it."""
    grid = list(product(settings, ("test", "external"), enumerate(arms)))
    rows = pd.DataFrame([arm_row(setting, name, arm, 0.7 + 0.02 * place) for setting, name, (place, arm) in grid])
    gains = [difference_row(setting, name, arm, 0.02 * place) for setting, name, (place, arm) in grid if place]
    scores = rows[["training_set", "net", "test_set", "arm", "low"]].rename(columns={"low": "balanced_accuracy"})
    return Judgement(scores.assign(seed=0), rows, pd.DataFrame(gains), [], "the rule", 0.05)


def adni(classifier: str = "conv5_fc3_down", judge: object = None, preparation: object = None, **study) -> RunConfig:
    blocks = {
        "classifier": {"kind": classifier},
        "judge": judge or {"nets": ["baseline", "optimised"]},
        "preparation": preparation or {},
    }
    return RunConfig.model_validate({"study": {**ADNI, **study}, **blocks})


@pytest.fixture(scope="module")
def content(nothing) -> ReportContent:
    return replace(nothing, judgement=judged(), config=adni())


def tables(content: ReportContent) -> list:
    return list(paper_sections(content)[0].blocks)


@pytest.mark.parametrize(
    ("arm", "read"),
    [
        ("real+synthetic-500", ArmName("real+synthetic", 500)),
        ("synthetic", ArmName("synthetic")),
        ("real+vae-prior", ArmName("real+vae-prior")),
        ("random-labels", ArmName("random-labels")),
    ],
)
def test_the_name_of_an_arm_says_its_dose(arm, read):
    assert read_arm(arm) == read
    assert is_enlarged(arm) == (read.family == "real+synthetic")


def test_an_arm_is_worded_for_readers():
    assert named("real+synthetic-500") == "real + 500 synthetic per diagnosis"
    assert named("real+classic") == "real + classic"


def test_there_is_one_table_per_training_set_and_network(content):
    captions = [table.caption for table in tables(content)[:4]]

    assert [caption.split(".")[0] for caption in captions] == [f"{one}, {net} network" for one, net in SETTINGS]


def test_rows_go_from_few_to_many_synthetic_scans_within_their_kind(content):
    assert [row[0] for row in tables(content)[0].rows] == [
        "real",
        "500 synthetic per diagnosis",
        "1000 synthetic per diagnosis",
        "real + 500 synthetic per diagnosis",
        "real + 1000 synthetic per diagnosis",
    ]


def test_numbers_are_percentages_with_their_spread(content):
    table = tables(content)[0]

    assert table.header[:4] == ["trained on", "test: sensitivity", "test: specificity", "test: balanced accuracy"]
    assert table.rows[1][3] == "74.0 ± 1.0"


def test_an_arm_that_one_test_set_lacks_is_a_dash(content):
    arms = content.judgement.arms
    less = arms[~((arms["arm"] == "real") & (arms["test_set"] == "external"))]

    row = tables(replace(content, judgement=replace(content.judgement, arms=less)))[0].rows[0]

    assert row[3] == "70.0 ± 1.0"
    assert row[4:] == ["–"] * 3


class TestPublishedFigures:
    def test_the_best_of_all_doses_is_set_beside_the_published_one(self, content):
        rows = {(row[0], row[1], row[3]): row[4:] for row in tables(content)[-1].rows}

        own = ["74.0 ± 1.0", "74.0 ± 1.0"]
        assert rows["train-50", "baseline", "best synthetic only"] == [*own, "74.3 ± 1.9", "76.5 ± 2.9"]
        own = ["78.0 ± 1.0", "78.0 ± 1.0"]
        assert rows["train-full", "optimised", "best synthetic + real"] == [*own, "87.2 ± 1.7", "84.3 ± 1.8"]
        assert len(rows) == 12

    def test_settings_that_were_not_run_are_dashes(self, content):
        one = replace(content, judgement=judged(SETTINGS[:1]))

        rows = {(row[0], row[1], row[3]): row[4:6] for row in tables(one)[-1].rows}

        assert rows["train-full", "baseline", "real"] == ["–", "–"]
        assert rows["train-50", "baseline", "real"] == ["70.0 ± 1.0", "70.0 ± 1.0"]

    def test_another_external_study_is_not_set_beside_aibl(self, content):
        config = adni(external_source="bids")

        row = tables(replace(content, config=config))[-1].rows[0]

        assert row[4:6] == ["70.0 ± 1.0", "–"]

    @pytest.mark.parametrize(
        "changed", [{"simulated": True}, {"source": "bids"}, {"labels": ["CN", "MCI"]}, {"labels": ["AD", "CN"]}]
    )
    def test_another_study_or_task_is_not_set_beside_adni(self, content, changed):
        assert len(tables(replace(content, config=adni(**changed)))) == 4

    def test_another_network_is_not_set_beside_the_published_baseline_and_that_is_said(self, content):
        *_, table, left_out = tables(replace(content, config=adni("random_forest")))

        assert {row[1] for row in table.rows} == {"optimised"}
        assert "baseline; the published networks are others" in left_out.text

    def test_full_size_images_have_published_figures_of_their_own_and_none_with_synthetic_scans(self, content):
        config = adni("conv5_fc3", {"nets": ["baseline"]}, {"downsample": 1})

        rows = tables(replace(content, config=config))[-1].rows

        assert {row[2] for row in rows} == {"baseline, 169 x 208 x 179"}
        assert [row[6:] for row in rows] == [
            ["67.9 ± 2.3", "66.5 ± 3.0"],
            ["–", "–"],
            ["–", "–"],
            ["80.6 ± 1.1", "80.4 ± 2.6"],
            ["–", "–"],
            ["–", "–"],
        ]

    @pytest.mark.parametrize(
        "preparation", [{"resolution": 2.0, "downsample": 1}, {"shape": [84, 104, 89]}, {"kind": "slices"}]
    )
    def test_images_on_another_grid_are_set_beside_nothing(self, content, preparation):
        assert not hasattr(tables(replace(content, config=adni(preparation=preparation)))[-1], "rows")

    def test_the_full_size_network_on_halved_images_is_no_published_one(self, content):
        config = adni("conv5_fc3", {"nets": ["baseline"]})

        assert not hasattr(tables(replace(content, config=config))[-1], "rows")

    @pytest.mark.parametrize(
        "config",
        [
            adni(judge={"nets": ["optimised"], "optimised": {"kind": "optimized"}}),
            adni("optimized", {"nets": ["baseline"]}),
        ],
    )
    def test_the_published_optimised_network_is_compared_by_whatever_name_it_was_trained(self, content, config):
        table = tables(replace(content, config=config))[-1]

        assert {row[1] for row in table.rows} == set(config.judge.nets)
        assert table.rows[0][2:] == [
            "optimised, 84 x 104 x 89",
            "real",
            *["70.0 ± 1.0"] * 2,
            "75.5 ± 2.7",
            "75.6 ± 4.1",
        ]
        assert "own search" not in table.caption

    def test_another_optimised_network_that_was_given_is_not_compared(self, content):
        config = adni(judge={"nets": ["baseline", "optimised"], "optimised": {"kind": "mlp"}})

        *_, table, left_out = tables(replace(content, config=config))

        assert {row[1] for row in table.rows} == {"baseline"}
        assert ": optimised; the published networks are others" in left_out.text

    def test_a_winner_of_the_runs_own_search_is_said_to_be_another_network(self, content):
        assert "winner of this run's own search" in tables(content)[-1].caption

    def test_what_differs_from_the_published_training_is_said(self, content):
        caption = tables(content)[-1].caption

        assert "what agrees is the protocol" not in caption
        assert "half of every batch of real + synthetic is real" in caption
        assert "about 0.5 % of what it sees is real" in caption


def test_the_curve_over_doses_says_that_more_scans_do_not_displace_real_ones(content):
    picture = next(
        block for block in judgement_section(content).blocks if getattr(block, "name", "") == "dose_response"
    )

    assert "half of every batch of real + synthetic is real whatever the number" in picture.caption


def test_what_batches_are_made_of_is_said_as_it_was_configured(content):
    judge = content.config.judge.model_copy(update={"mixture": "concatenated"})
    config = content.config.model_copy(update={"judge": judge})
    content = replace(content, config=config, judgement=replace(content.judgement, mixture="concatenated"))
    caption = tables(content)[-1].caption
    curve = next(block for block in judgement_section(content).blocks if getattr(block, "name", "") == "dose_response")

    assert "Here as there, batches of real + synthetic are drawn from both put together" in caption
    assert "half of every batch" not in caption + curve.caption
    assert "displace real ones" in curve.caption


class TestSeveralSettings:
    def test_each_has_charts_of_its_own(self, content):
        blocks = judgement_section(content).blocks
        names = [block.name for block in blocks if getattr(block, "name", "")]

        assert names[0] == "dose_response"
        assert names.count("arm_scores_train_50_baseline") == 1
        assert len(names) == len(set(names)) == 9

    def test_one_setting_is_not_named_and_one_dose_has_no_curve(self, content):
        alone = replace(content, judgement=judged(SETTINGS[:1], ("real", "synthetic", "real+synthetic")))

        blocks = judgement_section(alone).blocks

        assert [block.name for block in blocks if getattr(block, "name", "")] == ["arm_scores", "paired_differences"]
        assert not [block for block in blocks if getattr(block, "tone", "") == "setting"]

    def test_only_arms_with_a_dose_are_on_the_curve(self):
        dosed = doses_of(judged(SETTINGS[:1], (*ARMS, "real+classic", "real+vae-prior")).differences)

        assert set(dosed["dose"]) == {500, 1000}
        assert set(dosed["family"]) == {"synthetic", "real+synthetic"}

    def test_the_end_of_the_run_names_each(self, content):
        text = end_of_run(content.judgement, "report.html", "make ui")

        assert [line for line in text.splitlines() if line.endswith(" network")] == [
            f"{one}, {net} network" for one, net in SETTINGS
        ]

    def test_subgroups_are_shown_for_the_largest_dose_of_each(self, content):
        groups = pd.DataFrame(
            [
                {"training_set": one, "net": "baseline", "test_set": "test", "arm": arm, "variable": "sex"}
                | {"group": "F", "n_controls": 9, "n_patients": 9, "difference": place, "low": 0.0, "high": 0.1}
                | {
                    "interaction": 0.0,
                    "interaction_low": -0.1,
                    "interaction_high": 0.1,
                    "p_holm": 1.0,
                    "too_few": False,
                }
                for one in ("train-50", "train-full")
                for place, arm in enumerate(ARMS)
            ]
        )

        (section,) = subgroup_sections(replace(content, judgement=replace(content.judgement, subgroups=groups)))

        shown = [block for block in section.blocks if getattr(block, "rows", ())]
        assert [block.text for block in section.blocks if getattr(block, "tone", "") == "setting"] == [
            "train-50, baseline network:",
            "train-full, baseline network:",
        ]
        assert [[row[3] for row in table.rows] for table in shown] == [["+4.000"], ["+4.000"]]


def test_what_one_clinical_number_tells_is_shown_beside_the_arms(content):
    line = {"training_set": "train-50", "net": "logistic regression", "test_set": "test", "column": "mmse"}
    lines = pd.DataFrame(
        [{**line, "balanced_accuracy_mean": 0.91, "balanced_accuracy_sd": None, "low": 0.8, "high": 1.1}]
    )

    blocks = judgement_section(replace(content, judgement=replace(content.judgement, reference_lines=lines))).blocks

    tables = [block for block in blocks if getattr(block, "header", ())]
    assert [table.rows for table in tables if "number" in table.header] == [
        [["train-50", "test", "MMSE", "0.91", "[0.80, 1.00]"]]
    ]


def test_every_difference_fits_on_the_scale_and_the_band_of_what_does_not_matter_too() -> None:
    rows = pd.DataFrame({"difference": [0.02, -0.3]})
    assert _scale(rows, 0.05) == pytest.approx((-0.45, 0.45))
    assert _scale(rows * 0.1, 0.05) == pytest.approx((-0.15, 0.15))
