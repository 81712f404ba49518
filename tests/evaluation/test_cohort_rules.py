"""The rules by which the paper's cohort was selected, one by one, on a synthetic longitudinal study."""

import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortsmith.config.cohort import CohortConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.cohort_rules import REASONS, Selection, fill_diagnoses, judge_subjects, select_scans

LABELS = ("CN", "AD")
COLUMNS = ["participant_id", "session_id", "month", "diagnosis", "baseline_diagnosis"]
# subject: group at baseline, then the diagnosis at months 0, 6, 12, ...; an empty one is not known
STUDY = {
    "sub-stable": "CN: CN CN CN",
    "sub-once": "AD: AD",
    "sub-converts": "CN: CN CN MCI",
    "sub-returns": "CN: CN AD CN",
    "sub-smc": "SMC: CN CN",
    "sub-mci": "LMCI: MCI AD AD",
    "sub-unknown": "CN: - CN CN",
    "sub-gap": "AD: AD - AD",
    "sub-open": "AD: AD AD -",
}


def clinical_table(study: dict[str, str]) -> pd.DataFrame:
    rows = []
    for subject, story in study.items():
        group, diagnoses = story.split(": ")
        for place, diagnosis in enumerate(diagnoses.split()):
            rows.append((subject, f"ses-M{6 * place:03d}", 6.0 * place, diagnosis.replace("-", "n/a"), group))
    return pd.DataFrame(rows, columns=COLUMNS)


def scans_of(clinical: pd.DataFrame) -> pd.DataFrame:
    keys = clinical["participant_id"] + "_" + clinical["session_id"]
    return clinical[["participant_id", "session_id", "diagnosis"]].assign(key=keys)


CLINICAL = clinical_table(STUDY)
SCANS = scans_of(CLINICAL)
NO_TABLE = pd.DataFrame(columns=COLUMNS)


def select(
    scans: pd.DataFrame = SCANS, clinical: pd.DataFrame = CLINICAL, keep: list[str] | None = None, **config
) -> Selection:
    return select_scans(scans, clinical, LABELS, CohortConfig(**config), set(scans["key"]), keep)


def rules_of(selection: Selection, subject: str) -> list[str]:
    rows = selection.exclusions
    return rows.loc[rows["participant_id"] == subject, "rule"].tolist()


def months_used(selection: Selection, subject: str) -> list[int]:
    rows = selection.cohort
    return rows.loc[rows["participant_id"] == subject, "month"].tolist()


def test_the_cohort_is_the_baseline_scan_of_each_stable_subject() -> None:
    cohort = select().cohort
    assert dict(zip(cohort["key"], cohort["diagnosis"], strict=True)) == {
        "sub-gap_ses-M000": "AD",
        "sub-once_ses-M000": "AD",
        "sub-open_ses-M000": "AD",
        "sub-stable_ses-M000": "CN",
    }


@pytest.mark.parametrize(
    ("subject", "rule"),
    [
        ("sub-converts", "cohort.changing_diagnosis"),
        ("sub-returns", "cohort.changing_diagnosis"),
        ("sub-smc", "cohort.smc"),
        ("sub-mci", "cohort.other_baseline"),
        ("sub-unknown", "cohort.unknown_baseline"),
    ],
)
def test_a_subject_is_left_out_with_all_scans_by_its_rule(subject: str, rule: str) -> None:
    assert set(rules_of(select(sessions="all"), subject)) == {rule}
    assert months_used(select(sessions="all"), subject) == []


def test_stability_is_judged_on_visits_without_a_scan_too() -> None:
    baseline_scans = SCANS[SCANS["session_id"] == "ses-M000"]
    assert rules_of(select(baseline_scans), "sub-converts") == ["cohort.changing_diagnosis"]
    assert months_used(select(baseline_scans, NO_TABLE), "sub-converts") == [0]


def test_a_subject_with_complaints_is_kept_where_asked_for() -> None:
    assert months_used(select(keep_smc=True), "sub-smc") == [0]


def test_a_gap_between_equal_diagnoses_is_filled_and_an_open_end_is_not() -> None:
    selection = select(sessions="all")
    assert months_used(selection, "sub-gap") == [0, 6, 12]
    assert months_used(selection, "sub-open") == [0, 6]
    assert rules_of(selection, "sub-open") == ["cohort.unknown_diagnosis"]


@pytest.mark.parametrize(
    ("given_diagnoses", "filled"),
    [
        ("CN - CN", "CN CN CN"),
        ("CN - - CN", "CN CN CN CN"),
        ("CN - AD", "CN - AD"),
        ("CN - -", "CN - -"),
        ("- CN", "- CN"),
        ("-", "-"),
    ],
)
def test_only_agreeing_neighbours_fill_a_gap(given_diagnoses: str, filled: str) -> None:
    visits = clinical_table({"sub-1": f"CN: {given_diagnoses}"})
    assert fill_diagnoses(visits).fillna("-").tolist() == filled.split()


def test_a_gap_is_filled_from_the_same_subject_in_any_order_of_the_rows() -> None:
    visits = clinical_table({"sub-1": "CN: CN - CN", "sub-2": "CN: - AD AD"}).sample(frac=1, random_state=3)
    filled = fill_diagnoses(visits).sort_index()
    assert filled.fillna("-").tolist() == ["CN", "CN", "CN", "-", "AD", "AD"]


def test_without_stability_the_scans_of_the_baseline_diagnosis_are_used() -> None:
    selection = select(stable=False, sessions="all")
    assert months_used(selection, "sub-converts") == [0, 6]
    assert rules_of(selection, "sub-converts") == ["cohort.other_diagnosis"]
    assert set(selection.cohort.loc[selection.cohort["participant_id"] == "sub-returns", "diagnosis"]) == {"CN"}


def test_baseline_is_month_zero_and_else_the_earliest_visit() -> None:
    screened = pd.DataFrame(
        [("sub-1", "ses-M-01", -1.0, "AD", "n/a"), ("sub-1", "ses-M000", 0.0, "CN", "n/a")], columns=COLUMNS
    )
    late = clinical_table({"sub-2": "CN: MCI CN"}).assign(month=[6.0, 12.0], session_id=["ses-x", "ses-y"])
    judged = judge_subjects(pd.concat([screened, late]), LABELS, CohortConfig())
    assert judged["label"].to_dict() == {"sub-1": "CN", "sub-2": "MCI"}
    assert judged["subject_rule"].to_dict() == {"sub-1": "cohort.changing_diagnosis", "sub-2": "cohort.other_baseline"}


def test_visits_numbered_without_zeros_have_the_right_baseline() -> None:
    scans = pd.DataFrame(
        {"participant_id": "sub-1", "session_id": ["ses-10", "ses-2"], "diagnosis": ["AD", "CN"]}
    ).assign(key=lambda rows: rows["participant_id"] + "_" + rows["session_id"])
    judged = judge_subjects(scans, LABELS, CohortConfig())
    assert judged["label"].tolist() == ["CN"]


def test_the_earliest_scan_that_passes_everything_is_used() -> None:
    without = [key for key in SCANS["key"] if key != "sub-stable_ses-M000"]
    by_table = select(keep=without)
    by_preparation = select_scans(SCANS, CLINICAL, LABELS, CohortConfig(), set(without))
    assert months_used(by_table, "sub-stable") == months_used(by_preparation, "sub-stable") == [6]
    assert rules_of(by_table, "sub-stable") == ["cohort.not_on_keep_table", "cohort.later_session"]
    assert rules_of(by_preparation, "sub-stable") == ["cohort.not_prepared", "cohort.later_session"]


def test_the_keep_table_may_write_sessions_in_another_way_and_name_whole_subjects() -> None:
    keep = ["sub-STABLE_ses-M6", "sub-once"]
    assert sorted(select(keep=keep).cohort["key"]) == ["sub-once_ses-M000", "sub-stable_ses-M006"]


def test_a_scan_that_is_twice_in_the_keep_table_is_left_out() -> None:
    assert months_used(select(keep=["sub-once", "sub-stable_ses-M000", "sub-stable_ses-M00"]), "sub-stable") == []


def test_a_scan_at_a_visit_that_no_table_knows_takes_its_diagnosis_from_the_visits_around_it() -> None:
    extra = pd.DataFrame(
        {"key": ["sub-stable_ses-M003"], "participant_id": ["sub-stable"], "session_id": ["ses-M003"]}
    ).assign(diagnosis="n/a")
    selection = select(pd.concat([SCANS, extra], ignore_index=True), sessions="all")
    assert months_used(selection, "sub-stable") == [0, 3, 6, 12]


def test_a_scans_own_diagnosis_counts_where_the_clinical_visit_has_none() -> None:
    own = SCANS.assign(diagnosis=SCANS["diagnosis"].mask(SCANS["key"] == "sub-unknown_ses-M000", "CN"))
    assert months_used(select(own), "sub-unknown") == [0]


def test_a_study_without_clinical_visits_is_judged_on_its_scans() -> None:
    selection = select(clinical=NO_TABLE, sessions="all")
    assert months_used(selection, "sub-stable") == [0, 6, 12]
    assert set(rules_of(selection, "sub-converts")) == {"cohort.changing_diagnosis"}


def test_labels_are_the_studys_own_words() -> None:
    clinical = clinical_table({"sub-1": "x: control control", "sub-2": "x: patient"})
    selection = select_scans(
        scans_of(clinical), clinical, ("control", "patient"), CohortConfig(), set(scans_of(clinical)["key"])
    )
    assert selection.cohort["diagnosis"].tolist() == ["control", "patient"]


def test_the_flow_counts_scans_and_subjects_at_every_stage() -> None:
    prepared = set(SCANS["key"]) - {"sub-once_ses-M000"}
    flow = select_scans(SCANS, CLINICAL, LABELS, CohortConfig(), prepared).flow
    stages = flow[flow["rule"].isna()].set_index("stage")[["scans", "subjects"]]
    assert stages.T.to_dict("list") == {
        "converted": [24, 9],
        "prepared": [23, 8],
        "labelled, stable": [8, 3],
        "used": [3, 3],
    }
    rules = flow[flow["rule"].notna()].set_index("rule")["scans"].to_dict()
    assert rules == {
        "cohort.not_prepared": 1,
        "cohort.smc": 2,
        "cohort.unknown_baseline": 3,
        "cohort.other_baseline": 3,
        "cohort.changing_diagnosis": 6,
        "cohort.unknown_diagnosis": 1,
        "cohort.later_session": 5,
    }


def test_every_reason_is_the_rules_own_sentence() -> None:
    rows = select().exclusions
    assert {row.rule: row.reason for row in rows.itertuples()}.items() <= REASONS.items()


def test_nobody_left_stops_the_study_and_says_why() -> None:
    with pytest.raises(StudyError, match=re.escape("24 scans: the diagnosis at baseline is none")):
        select_scans(
            SCANS[SCANS["diagnosis"] != "x"],
            CLINICAL.assign(diagnosis="MCI", baseline_diagnosis="MCI"),
            LABELS,
            CohortConfig(),
            set(SCANS["key"]),
        )


def test_a_study_without_scans_is_refused() -> None:
    with pytest.raises(StudyError, match="no converted scan"):
        select(SCANS.head(0), CLINICAL)


stories = st.lists(st.sampled_from(["CN", "AD", "MCI", "-"]), min_size=1, max_size=6)
groups = st.sampled_from(["CN", "SMC", "AD", "n/a"])


@settings(max_examples=30, deadline=None)
@given(
    study=st.lists(st.tuples(groups, stories), min_size=1, max_size=6),
    config=st.builds(
        CohortConfig, stable=st.booleans(), keep_smc=st.booleans(), sessions=st.sampled_from(["first", "all"])
    ),
    data=st.data(),
)
def test_every_scan_is_used_or_left_out_once_and_subjects_have_one_diagnosis(study, config, data) -> None:
    clinical = clinical_table({f"sub-{i}": f"{group}: {' '.join(story)}" for i, (group, story) in enumerate(study)})
    # One subject is sure to stay, so that there is a cohort.
    clinical = pd.concat([clinical, clinical_table({"sub-sure": "CN: CN"})], ignore_index=True)
    scans = scans_of(clinical)
    kept = data.draw(st.lists(st.sampled_from(scans["key"].tolist()), unique=True))
    seen = scans[scans["key"].isin([*kept, "sub-sure_ses-M000"])]
    prepared = {*data.draw(st.lists(st.sampled_from(seen["key"].tolist()), unique=True)), "sub-sure_ses-M000"}
    selection = select_scans(seen, clinical.sample(frac=1, random_state=1), LABELS, config, prepared)

    assert sorted([*selection.cohort["key"], *selection.exclusions["key"]]) == sorted(seen["key"])
    assert set(selection.cohort["key"]) <= prepared
    assert (selection.cohort.groupby("participant_id")["diagnosis"].nunique() == 1).all()
    assert set(selection.cohort["diagnosis"]) <= set(LABELS)
    converted, used = selection.flow.iloc[0], selection.flow.iloc[-1]
    gone = selection.flow["scans"][selection.flow["rule"].notna()].sum()
    assert converted["scans"] == len(seen) == used["scans"] + gone
    used_scans = selection.cohort.merge(
        clinical[["participant_id", "session_id", "diagnosis"]], on=["participant_id", "session_id"]
    )
    assert (used_scans["diagnosis_y"].isin(["n/a"]) | (used_scans["diagnosis_x"] == used_scans["diagnosis_y"])).all()


@settings(max_examples=25, deadline=None)
@given(story=stories)
def test_a_stable_subject_never_had_another_diagnosis(story: list[str]) -> None:
    judged = judge_subjects(clinical_table({"sub-1": f"CN: {' '.join(story)}"}), LABELS, CohortConfig())
    stays = judged["subject_rule"].tolist() == [""]
    assert stays == (story[0] in LABELS and set(story) <= {story[0], "-"})
