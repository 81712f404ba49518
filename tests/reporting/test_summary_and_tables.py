"""Numbers as a reader wants them, on paper and on the screen."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.run import RunConfig
from cohortsmith.reporting.methods import describe_methods
from cohortsmith.reporting.summary import end_of_run
from cohortsmith.reporting.tables import as_table, duration, interval_text, mean_and_spread, worded


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (-0.5, "-0.500"), (0.0, "0.000"), (0.00001, "1e-05"), (412.04, "412.0"), (3, "3"), (np.int64(4), "4"),
     (float("nan"), "–"), (None, "–"), ("n/a", "n/a"), (True, "True"), (np.float32(0.25), "0.250")],
)  # fmt: skip
def test_a_value_is_worded(value, text):
    assert worded(value) == text


def test_a_single_seed_has_no_spread():
    assert mean_and_spread(0.714, 0.021) == "0.71 ± 0.02"
    assert mean_and_spread(0.714, float("nan")) == "0.71"
    assert interval_text(float("nan"), 1.0) == "–"
    assert interval_text(-0.1, 0.2, sign="+") == "[-0.10, +0.20]"


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.25, "2.2 s"), (41.0, "41 s"), (312.4, "5 min 12 s"), (59.7, "1 min 00 s")]
)
def test_a_duration_is_worded(seconds, text):
    assert duration(seconds) == text


def test_a_table_names_its_columns_in_words_and_sets_numbers_right():
    table = as_table(pd.DataFrame({"void_share": [0.5], "auc": [1], "name": ["a_b"]}), "caption")

    assert table.header == ["void share", "AUC", "name"]
    assert table.numeric == [True, True, False]
    assert table.rows == [["0.500", "1", "a_b"]]


class TestEndOfRun:
    def test_it_shows_every_arm_the_verdicts_and_where_to_look(self, study):
        text = end_of_run(study.judgement, "/results/report.html", "kedro ui")

        for arm in ("real", "real+classic", "synthetic", "real+synthetic", "random-labels"):
            assert any(arm in line.split() for line in text.splitlines()), arm
        assert study.judgement.verdicts[0].sentence in " ".join(text.split())
        assert "/results/report.html" in text
        assert "kedro ui" in text

    def test_the_columns_of_the_table_stand_below_each_other(self, study):
        lines = end_of_run(study.judgement, "r", "u").splitlines()
        start = lines[0].index("interval")

        assert all(line[start] == "[" for line in lines[2 : 2 + len(study.judgement.arms)])
        assert max(map(len, lines)) <= 110

    def test_without_classifiers_it_says_why(self):
        text = end_of_run(None, "r", "u", "Six subjects cannot be split.")

        assert text.startswith("Not judged. Six subjects cannot be split.")


class TestMethods:
    def test_the_paragraph_follows_the_configuration(self):
        study = {"name": "own", "source": "bids", "labels": ["CN", "AD"]}
        config = RunConfig.model_validate({"study": study, "generator": {"latent_dim": 7}, "split": {"test": 0.25}})

        text = describe_methods(config)

        assert "latent dimension 7" in text
        assert "25% to test" in text
        assert "Tustison" in text

    @pytest.mark.parametrize(
        ("sampler", "told"),
        [("prior", "standard normal prior"), ("gaussian_mixture", "mixture of 10 Gaussians"), ("hmc", "200 steps")],
    )
    def test_the_sampler_that_ran_is_the_one_described(self, sampler, told):
        study = {"name": "own", "source": "bids", "labels": ["CN", "AD"]}

        text = describe_methods(RunConfig.model_validate({"study": study, "sampler": {"kind": sampler}}))

        assert told in text
        assert ("Hamiltonian Monte Carlo" in text) == (sampler == "hmc")

    def test_slices_were_neither_corrected_nor_registered(self):
        study = {"name": "own", "source": "slices", "labels": ["CN", "AD"]}

        text = describe_methods(RunConfig.model_validate({"study": study, "preparation": {"kind": "slices"}}))

        assert "N4" not in text
        assert "aligned already" in text


def test_the_end_of_a_run_says_how_many_scans_were_set_aside():
    told = end_of_run(None, "report.html", "kedro ui", "Not asked for.", "97 prepared, 3 set aside (3 in prepare)")

    assert "Scans:   97 prepared, 3 set aside (3 in prepare)" in told
    assert "Scans:" not in end_of_run(None, "report.html", "kedro ui")
