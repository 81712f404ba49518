"""The table that says how alike the sets of a split are."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cohortsmith.config.split import SplitConfig
from cohortsmith.evaluation.split_quality import compare_splits
from cohortsmith.evaluation.splits import split_subjects


def six(**columns: list) -> pd.DataFrame:
    table = {"participant_id": list("abcdef"), "diagnosis": "CN", "split": ["test"] * 3 + ["train"] * 3}
    return pd.DataFrame({**table, **columns})


def test_p_values_are_those_worked_out_by_hand() -> None:
    # ages 1, 2, 3 against 4, 5, 6: t = 3 / sqrt(2/3) = 3.674 on 4 degrees; sex 3/0 against 0/3: chi-square 6 on 1
    table = six(age=[1, 2, 3, 4, 5, 6], sex=list("FFFMMM"), site=["p", "q", "q", "p", "p", "q"])
    row = compare_splits(table, SplitConfig()).iloc[0]
    assert row["compared"] == "test with the rest"
    assert (row["subjects"], row["others"]) == (3, 3)
    assert row["p_age"] == pytest.approx(0.02131, abs=1e-5)
    assert row["p_sex"] == pytest.approx(0.01431, abs=1e-5)
    assert row["p_site"] == pytest.approx(stats.chi2.sf(2 / 3, 1))
    assert not row["reached"]


def test_the_sex_test_sees_how_many_subjects_there_are() -> None:
    few = pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(20)],
            "diagnosis": "CN",
            "sex": list("FFFFFFMMMM") + list("FFFFMMMMMM"),
            "split": ["test"] * 10 + ["train"] * 10,
        }
    )
    many = pd.concat([few.assign(participant_id=few["participant_id"] + f"x{k}") for k in range(10)])
    p_few, p_many = (compare_splits(table, SplitConfig())["p_sex"].iloc[0] for table in (few, many))
    assert p_few > 0.3
    assert p_many < 0.01


def test_what_is_not_known_has_no_p_value_and_misses_no_target() -> None:
    row = compare_splits(six(), SplitConfig()).iloc[0]
    assert row[["p_age", "p_sex", "p_site"]].isna().all()
    assert row["reached"]
    assert row["site"] == "sites are not known"


def test_only_what_was_to_be_matched_can_miss_the_target() -> None:
    table = six(age=[1, 2, 3, 4, 5, 6])
    reached = [compare_splits(table, SplitConfig(match=match))["reached"].iloc[0] for match in (("age",), ("sex",))]
    assert reached == [False, True]


def test_sites_of_one_subject_are_pooled_and_too_many_sites_are_told() -> None:
    row = compare_splits(six(site=["p", "p", "q", "p", "r", "s"]), SplitConfig()).iloc[0]
    assert row["site"] == "4 sites, 3 with a single subject pooled: too many for every one to be in both sets"
    assert row["p_site"] == pytest.approx(stats.chi2.sf(2 / 3, 1))


def test_one_site_is_no_comparison() -> None:
    row = compare_splits(six(site=["p"] * 6), SplitConfig()).iloc[0]
    assert (row["site"], np.isnan(row["p_site"])) == ("one site", True)


def test_every_set_is_compared_with_that_from_which_it_was_drawn() -> None:
    random = np.random.default_rng(0)
    cohort = pd.DataFrame({"participant_id": [f"sub-{i}" for i in range(120)], "diagnosis": ["CN", "AD"] * 60}).assign(
        age=random.normal(74, 7, 120), sex=random.choice(["F", "M"], 120)
    )
    config = SplitConfig(train_subsets=(10, 20), train_on=10, candidates=200, target_p=0.5)
    split = split_subjects(cohort, config, ("CN", "AD"))
    external = cohort.assign(split="external", training_set=None, participant_id=cohort["participant_id"] + "e")
    table = compare_splits(pd.concat([split, external]), config)
    controls = table[table["diagnosis"] == "CN"].set_index("compared")
    assert controls[["subjects", "others"]].T.to_dict("list") == {
        "test with the rest": [12, 48],
        "validation with train": [9, 39],
        "train-10 with the rest of train-20": [10, 10],
        "train-20 with the rest of train-full": [20, 19],
    }
    assert table["reached"].all()
    assert (table["target_p"] == 0.5).all()


def test_a_study_that_is_all_training_has_nothing_to_compare() -> None:
    assert compare_splits(six().assign(split="train"), SplitConfig()).empty
