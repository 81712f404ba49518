"""A group that is helped is told from the rest, small groups are left alone, and looking at many costs its price."""

import numpy as np
import pandas as pd
import pytest

from cohortsmith.evaluation.multiplicity import holm
from cohortsmith.evaluation.scores import compare_arms
from cohortsmith.evaluation.subgroups import band_ages, compare_subgroups, group_subjects

N = 160


def divide(**columns: np.ndarray | list) -> pd.DataFrame:
    names = [f"sub-{i}" for i in range(N)]
    return pd.DataFrame({"test_set": "test", "participant_id": names, **columns})


# controls are even, patients odd: pairs go together
PAIR = np.arange(N) // 2
SEX = np.where(PAIR % 2 == 0, "F", "M")


def planted(predict_arm, random: np.random.Generator) -> pd.DataFrame:
    """The arm lifts women from 0.6 to 0.9 and leaves men where they are."""
    better, same = (predict_arm("synthetic", share, random, n_subjects=N) for share in (0.9, 0.6))
    women = better["participant_id"].isin(divide()["participant_id"][SEX == "F"])
    return pd.concat([predict_arm("real", 0.6, random, n_subjects=N), better[women], same[~women]])


def test_a_planted_interaction_is_found_and_is_the_same_question_from_either_side(predict_arm) -> None:
    random = np.random.default_rng(0)
    rows = compare_subgroups(planted(predict_arm, random), divide(sex=SEX), 0.95, 500, random).set_index("group")
    assert rows.loc["F", "low"] > 0.15
    assert rows.loc["M", "low"] < 0 < rows.loc["M", "high"]
    assert rows.loc["F", "interaction"] == pytest.approx(-rows.loc["M", "interaction"])
    assert rows.loc["F", "interaction"] == pytest.approx(rows.loc["F", "difference"] - rows.loc["M", "difference"])
    assert rows.loc["F", "interaction_low"] > 0
    # two groups ask one question, so it is corrected for one
    assert rows.loc["F", "p_holm"] == rows.loc["F", "p_value"] == rows.loc["M", "p_holm"] < 0.001


def test_a_group_is_judged_as_the_study_would_be_without_the_others(predict_arm) -> None:
    random = np.random.default_rng(0)
    table = planted(predict_arm, random)
    women = table[table["participant_id"].isin(divide()["participant_id"][SEX == "F"])]
    alone = compare_arms(women, 0.95, 20_000, random).iloc[0]
    row = compare_subgroups(table, divide(sex=SEX), 0.95, 20_000, random).set_index("group").loc["F"]
    assert row["difference"] == pytest.approx(alone["difference"])
    assert (row["low"], row["high"]) == pytest.approx((alone["low"], alone["high"]), abs=0.005)
    assert (row["n_controls"], row["n_patients"], row["n_seeds"]) == (40, 40, 5)


def test_small_groups_and_those_with_few_others_are_counted_and_not_judged(predict_arm) -> None:
    random = np.random.default_rng(0)
    site = np.where(PAIR < 9, "small", "large")
    rows = compare_subgroups(planted(predict_arm, random), divide(site=site), 0.95, 100, random).set_index("group")
    assert rows["too_few"].all()
    assert rows.loc["small", "n_patients"] == 9
    assert rows["difference"].isna().all() and rows["p_holm"].isna().all()


def test_few_seeds_are_not_judged(predict_arm) -> None:
    random = np.random.default_rng(0)
    table = planted(predict_arm, random)
    assert compare_subgroups(table[table["seed"] < 2], divide(sex=SEX), 0.95, 100, random)["too_few"].all()


def test_all_groups_of_a_test_set_are_corrected_together(predict_arm) -> None:
    random = np.random.default_rng(0)
    arms = [predict_arm("real+classic", 0.6, random, n_subjects=N), planted(predict_arm, random)]
    rows = compare_subgroups(pd.concat(arms), divide(sex=SEX, site=PAIR % 3), 0.95, 300, random)
    asked = rows[~((rows["variable"] == "sex") & (rows["group"] == "M"))]
    assert len(asked) == 2 * (1 + 3)
    np.testing.assert_allclose(asked["p_holm"], holm(asked["p_value"]))


def test_a_subject_of_unknown_group_and_a_variable_with_one_group_are_left_out(predict_arm) -> None:
    random = np.random.default_rng(0)
    sex = np.where(np.arange(N) < 8, None, SEX)
    groups = divide(sex=sex, site=["here"] * N, field_strength=[np.nan] * N)
    rows = compare_subgroups(planted(predict_arm, random), groups, 0.95, 100, random)
    assert rows["variable"].unique().tolist() == ["sex"]
    assert rows["n_controls"].sum() == N // 2 - 4


def test_test_sets_have_groups_of_their_own(predict_arm) -> None:
    random = np.random.default_rng(0)
    groups = divide(sex=SEX).assign(test_set="external")
    assert len(compare_subgroups(planted(predict_arm, random), groups, 0.95, 100, random)) == 0


def test_the_words_say_differs_only_after_correction(predict_arm) -> None:
    from cohortsmith.evaluation.subgroups import SubgroupEffect  # noqa: PLC0415

    row = SubgroupEffect(
        "test", "synthetic", "sex", "F", 5, 20, 21, False, 0.1, 0.02, 0.18, 0.12, 0.01, 0.23, 0.95, 0.03
    )
    assert "no difference from the others shown" in row._replace(p_holm=0.06).sentence()
    assert row._replace(p_holm=0.03).sentence() == (
        "synthetic on test: +0.100 [+0.020, +0.180] in sex F (20 controls, 21 patients); "
        "differs from the others (+0.120, corrected p = 0.03)."
    )
    assert "too few" in row._replace(too_few=True).sentence()


def test_ages_fall_into_bands_and_an_edge_belongs_to_the_band_above() -> None:
    ages = pd.Series([64.9, 65, 74.99, 75, 85, 99, np.nan])
    expected = ["below 65", "65-74", "65-74", "75-84", "85 and over", "85 and over"]
    assert band_ages(ages).tolist()[:6] == expected
    assert pd.isna(band_ages(ages).iloc[6])


def test_groups_come_from_the_first_session_of_each_split() -> None:
    participants = pd.DataFrame(
        {
            "participant_id": ["sub-1", "sub-1", "sub-1"],
            "session_id": ["ses-M012", "ses-M000", "ses-M000"],
            "split": ["test", "test", "external"],
            "age": [75.2, 74.2, 90],
            "sex": ["F", "F", "M"],
        }
    )
    groups = group_subjects(participants).set_index("test_set")
    assert groups.loc["test", "age_band"] == "65-74"
    assert groups.loc["external", ["sex", "age_band"]].tolist() == ["M", "85 and over"]
    assert groups[["site", "field_strength"]].isna().all(axis=None)


def test_numbers_that_are_whole_in_one_table_and_not_in_another_name_the_same_group(predict_arm) -> None:
    random = np.random.default_rng(0)
    groups = divide(field_strength=np.where(PAIR % 2 == 0, 1.5, 3.0))
    rows = compare_subgroups(planted(predict_arm, random), groups, 0.95, 100, random)
    assert rows["group"].tolist() == ["1.5", "3"]
