"""Regional volumes of synthetic beside held-out real scans: numbers by hand, and planted differences."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cohortsmith.evaluation.regional_volumes import compare_regional_volumes, hedges_g, word_volumes

REGIONS = ("grey", "ventricles")


def volumes(random: np.random.Generator, n: int = 30, **shift: float) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "diagnosis": label,
                    "source": source,
                    "grey": random.normal(700, 40, n),
                    "ventricles": random.normal(30 + shift.get(source, 0), 8, n),
                }
            )
            for label in ("CN", "AD")
            for source in ("synthetic", "training", "held_out")
        ]
    )


def row_of(table: pd.DataFrame, **key: str) -> pd.Series:
    (found,) = (row for _, row in table.iterrows() if all(row[name] == value for name, value in key.items()))
    return found


def test_every_source_is_described_and_compared_with_the_held_out_scans():
    table = volumes(np.random.default_rng(0))
    row = row_of(compare_regional_volumes(table, REGIONS), diagnosis="CN", source="synthetic", region="grey")
    made, held_out = (
        table.query("diagnosis == 'CN' and source == @source")["grey"] for source in ("synthetic", "held_out")
    )
    interval = stats.ttest_ind(made, held_out, equal_var=False).confidence_interval()

    assert (row["n"], row["mean_ml"], row["sd_ml"]) == (30, pytest.approx(made.mean()), pytest.approx(made.std()))
    assert row["difference"] == pytest.approx(made.mean() - held_out.mean())
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))


def test_the_rows_come_by_diagnosis_region_and_source_and_the_reference_has_no_difference():
    compared = compare_regional_volumes(volumes(np.random.default_rng(0)), REGIONS)

    assert compared["source"].tolist() == ["training", "held_out", "synthetic"] * 4
    assert compared["region"].tolist() == ["grey"] * 3 + ["ventricles"] * 3 + ["grey"] * 3 + ["ventricles"] * 3
    assert compared.loc[compared["source"] == "held_out", ["difference", "low", "hedges_g"]].isna().all(axis=None)


def test_hedges_g_is_the_difference_in_pooled_standard_deviations_corrected_for_few_values():
    values, reference = np.array([3.0, 5.0, 7.0]), np.array([1.0, 3.0, 5.0])

    assert hedges_g(values, reference) == pytest.approx(2 / 2 * (1 - 3 / (4 * 4 - 1)))
    assert hedges_g(np.ones(3), np.ones(4)) == 0
    assert hedges_g(np.ones(3), np.zeros(4)) == np.inf


@pytest.mark.parametrize(
    ("shift", "told"), [(-15.0, "smaller than"), (15.0, "larger than"), (0.0, "no difference from")]
)
def test_ventricles_of_the_wrong_size_are_said_to_be_wrong(shift, told):
    compared = compare_regional_volumes(volumes(np.random.default_rng(1), synthetic=shift), REGIONS)
    grey, ventricles = word_volumes(compared, "AD")

    assert grey.startswith("grey: no difference from held-out real scans is shown")
    assert ventricles.startswith(f"ventricles: {told} ")


def test_scans_that_could_not_be_measured_do_not_count_and_too_few_are_not_compared():
    table = volumes(np.random.default_rng(0), n=4)
    table.loc[(table["source"] == "synthetic") & (table["diagnosis"] == "CN"), "grey"] = [np.nan, np.nan, 700, 710]
    compared = compare_regional_volumes(table, REGIONS)
    row = row_of(compared, diagnosis="CN", source="synthetic", region="grey")

    assert row["n"] == 2 and np.isnan(row["difference"]) and row["mean_ml"] == 705
    assert word_volumes(compared, "CN")[0] == ("grey: not compared, as fewer than 3 scans of a kind could be measured.")


def test_sets_without_any_spread_are_compared_without_a_warning():
    same = pd.DataFrame({"diagnosis": "CN", "source": np.repeat(["held_out", "synthetic"], 3), "grey": [5.0] * 6})
    row = row_of(compare_regional_volumes(same, ["grey"]), source="synthetic")

    assert (row["difference"], row["low"], row["high"], row["hedges_g"]) == (0, 0, 0, 0)


def test_an_empty_table_gives_an_empty_comparison():
    empty = pd.DataFrame(columns=["diagnosis", "source", *REGIONS])

    assert compare_regional_volumes(empty, REGIONS).empty
