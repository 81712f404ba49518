"""Which converted scans are used: subjects of one stable diagnosis; whatever is left out is listed with its rule.

Source: the selection of Chadebec's thesis (2023), section 1.5.2, by the rules of ClinicaDL 0.2 that it was made with:
a diagnosis is judged on all clinical visits of a subject, whether or not there is a scan.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cohortsmith.config.cohort import CohortConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.leakage import person_of
from cohortsmith.evaluation.sessions import in_order, months, natural_order

# Rules in the order in which a scan is asked, by the stage that it reaches when all of them let it pass.
STAGES: dict[str, dict[str, str]] = {
    "prepared": {"cohort.not_prepared": "the scan could not be prepared or was dropped for its quality"},
    "labelled, stable": {
        "cohort.smc": "subjective memory complaints at the start of the study",
        "cohort.unknown_baseline": "the diagnosis at baseline is not known",
        "cohort.other_baseline": "the diagnosis at baseline is none of the study's labels",
        "cohort.changing_diagnosis": "the diagnosis differs at another clinical visit",
        "cohort.unknown_diagnosis": "the diagnosis at this session is not known and the visits around it do not tell",
        "cohort.other_diagnosis": "the diagnosis at this session is not that at baseline",
    },
    "used": {
        "cohort.not_on_keep_table": "the scan is not in the table of scans to keep, or is in it more than once",
        "cohort.later_session": "an earlier session of the subject is used",
    },
}
REASONS = {rule: reason for rules in STAGES.values() for rule, reason in rules.items()}
CONVERTED = "converted"
_SUBJECT_RULES = ("cohort.smc", "cohort.unknown_baseline", "cohort.other_baseline", "cohort.changing_diagnosis")


class Selection(NamedTuple):
    """What is used and what is not.

    cohort:     the rows of the scans used, `diagnosis` being the subject's at baseline, and `month`
    exclusions: one row per scan left out: key, participant_id, rule, reason
    flow:       one row per stage (rule missing) and per rule that left scans out: stage, rule, scans, subjects
    """

    cohort: pd.DataFrame
    exclusions: pd.DataFrame
    flow: pd.DataFrame


def select_scans(
    scans: pd.DataFrame,
    clinical: pd.DataFrame,
    labels: Sequence[str],
    config: CohortConfig,
    prepared: Collection[str],
    keep: Iterable[str] | None = None,
) -> Selection:
    """Apply the rules: every scan is either in the cohort or has one row that says why not.

    scans: one row per converted scan: key, participant_id, session_id, diagnosis, ...
    clinical: one row per clinical visit (`ClinicalVisit`); scans at other visits count as visits of their own.
    prepared: keys of the scans that were prepared and kept. keep: keys sub-X_ses-Y, or subjects sub-X, that passed a
        check; None: no such check.

    Raises:
        StudyError: no scan is left.
    """
    known = _with_diagnoses(scans, clinical, labels, config)
    rules = _first_rule(known, config, prepared, _kept(known["key"], keep))
    if config.sessions == "first":
        rules = rules.mask((rules == "") & ~_earliest(known, rules == ""), "cohort.later_session")
    cohort = known.assign(diagnosis=known["label"])[rules == ""]
    left_out = known[["key", "participant_id"]].assign(rule=rules, reason=rules.map(REASONS))[rules != ""]
    if cohort.empty:
        raise _nobody(left_out)
    flow = count_flow(known, left_out)
    return Selection(
        in_order(cohort)[[*dict.fromkeys([*scans, "month"])]].reset_index(drop=True),
        left_out.reset_index(drop=True),
        flow,
    )


def judge_subjects(visits: pd.DataFrame, labels: Sequence[str], config: CohortConfig) -> pd.DataFrame:
    """Give each subject's diagnosis at baseline and the rule that leaves the subject out, if any.

    visits: all clinical visits: participant_id, session_id, diagnosis, and month and baseline_diagnosis if known.
    Baseline is month 0, or else the earliest visit. Indexed by subject (in lower case): label, subject_rule.
    """
    ordered = in_order(visits).reset_index(drop=True)
    persons = ordered["participant_id"].map(person_of)
    diagnoses = _known_diagnoses(ordered["diagnosis"])
    at_baseline = diagnoses[_baseline_rows(ordered, persons)]
    table = pd.DataFrame({"label": at_baseline.to_numpy()}, index=persons[at_baseline.index].to_numpy())
    groups = _known_diagnoses(ordered.get("baseline_diagnosis", pd.Series(pd.NA, index=ordered.index)))
    is_smc = groups.str.upper().eq("SMC").fillna(False).groupby(persons).any()
    differs = diagnoses.notna() & diagnoses.ne(persons.map(table["label"]))
    masks = (
        is_smc.reindex(table.index) & (not config.keep_smc),
        table["label"].isna(),
        ~table["label"].isin(labels),
        differs.groupby(persons).any().reindex(table.index) & config.stable,
    )
    return table.assign(subject_rule=_first_true(dict(zip(_SUBJECT_RULES, masks, strict=True)), table.index))


def fill_diagnoses(visits: pd.DataFrame) -> pd.Series:
    """Fill a missing diagnosis where the nearest known ones before and after agree; it stays missing elsewhere."""
    ordered = in_order(visits)
    diagnoses = _known_diagnoses(ordered["diagnosis"])
    by_person = diagnoses.groupby(ordered["participant_id"].map(person_of))
    before, after = by_person.ffill(), by_person.bfill()
    return diagnoses.fillna(before.where(before.eq(after).fillna(False))).reindex(visits.index)


def count_flow(scans: pd.DataFrame, left_out: pd.DataFrame) -> pd.DataFrame:
    """Count scans and subjects left at each stage, and what each rule left out between two stages."""
    rows = [_count(CONVERTED, None, scans)]
    left = scans
    for stage, rules in STAGES.items():
        gone = {rule: left_out[left_out["rule"] == rule] for rule in rules}
        rows += [_count(stage, rule, part) for rule, part in gone.items() if len(part)]
        left = left[~left["key"].isin(pd.concat(gone.values())["key"])]
        rows.append(_count(stage, None, left))
    return pd.DataFrame(rows, columns=["stage", "rule", "scans", "subjects"])


def _count(stage: str, rule: str | None, scans: pd.DataFrame) -> tuple[str, str | None, int, int]:
    return stage, rule, len(scans), scans["participant_id"].map(person_of).nunique()


def _with_diagnoses(
    scans: pd.DataFrame, clinical: pd.DataFrame, labels: Sequence[str], config: CohortConfig
) -> pd.DataFrame:
    visits = _all_visits(scans, clinical)
    per_visit = visits.assign(month=months(visits), diagnosis=fill_diagnoses(visits))
    at_scans = per_visit.groupby(_visit_index(visits)).first().reindex(_visit_index(scans))
    subjects = judge_subjects(visits, labels, config)
    persons = scans["participant_id"].map(person_of)
    return scans.assign(
        month=at_scans["month"].to_numpy(float),
        session_diagnosis=at_scans["diagnosis"].astype("string").array,
        label=persons.map(subjects["label"]).astype("string"),
        subject_rule=persons.map(subjects["subject_rule"]),
    )


def _all_visits(scans: pd.DataFrame, clinical: pd.DataFrame) -> pd.DataFrame:
    """List the clinical visits, and those of scans that the clinical tables do not know or give no diagnosis for."""
    known = clinical[_known_diagnoses(clinical["diagnosis"]).notna()]
    columns = [name for name in (*clinical, "day") if name in scans]
    added = scans.loc[~_visit_index(scans).isin(_visit_index(known)), columns]
    visits = pd.concat([known, added, clinical], ignore_index=True) if len(clinical) else added
    is_known = _known_diagnoses(visits["diagnosis"]).notna()
    elsewhere = is_known.groupby(_visit_index(visits)).transform("any")
    repeated = visits[["participant_id", "session_id", "diagnosis"]].duplicated()
    return visits[(is_known | ~elsewhere) & ~repeated].reset_index(drop=True)


def _visit_index(visits: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([visits["participant_id"].map(person_of), visits["session_id"].astype(str)])


def _baseline_rows(ordered: pd.DataFrame, persons: pd.Series) -> pd.Index:
    is_later = months(ordered).ne(0)
    by_baseline = is_later.sort_values(kind="stable").index
    return by_baseline[~persons[by_baseline].duplicated()]


def _known_diagnoses(values: pd.Series) -> pd.Series:
    texts = values.astype("string").str.strip()
    return texts.mask(texts.isin(["", "n/a"]))


def _first_rule(known: pd.DataFrame, config: CohortConfig, prepared: Collection[str], kept: pd.Series) -> pd.Series:
    session, label, subject_rule = known["session_diagnosis"], known["label"], known["subject_rule"]
    conditions = {
        "cohort.not_prepared": ~known["key"].isin(list(prepared)),
        **{rule: subject_rule == rule for rule in _SUBJECT_RULES},
        "cohort.unknown_diagnosis": session.isna(),
        "cohort.other_diagnosis": session.ne(label).fillna(False),
        "cohort.not_on_keep_table": ~kept,
    }
    return _first_true(conditions, known.index)


def _first_true(conditions: dict[str, pd.Series], index: pd.Index) -> pd.Series:
    masks = [mask.to_numpy(dtype=bool) for mask in conditions.values()]
    return pd.Series(np.select(masks, list(conditions), default=""), index=index)


def _kept(keys: pd.Series, keep: Iterable[str] | None) -> pd.Series:
    if keep is None:
        return pd.Series(True, index=keys.index)
    listed = {place for place, n in Counter(map(_place, keep)).items() if n == 1}
    return keys.map(lambda key: not listed.isdisjoint({_place(key), _place(person_of(key))}))


def _place(key: str) -> tuple[str, tuple[int | str, ...]]:
    """Two lists may write one session differently: M00 and M000."""
    return person_of(key), natural_order(key.partition("_")[2])


def _earliest(known: pd.DataFrame, eligible: pd.Series) -> pd.Series:
    ordered = in_order(known[eligible])
    first = ordered.index[~ordered["participant_id"].map(person_of).duplicated()]
    return pd.Series(known.index.isin(first), index=known.index)


def _nobody(left_out: pd.DataFrame) -> StudyError:
    counts = "; ".join(f"{n} scans: {reason}" for reason, n in left_out["reason"].value_counts().items())
    return StudyError(
        "no scan is left to learn from",
        where="cohort",
        got=counts or "no converted scan",
        expected="scans of subjects whose diagnosis is one of the study's labels at all visits",
        remedy="check study.labels and the diagnosis column, or change the block `cohort` of the configuration",
    )
