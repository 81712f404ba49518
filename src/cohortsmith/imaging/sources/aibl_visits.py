"""Clinical visits of AIBL, gathered from its tables."""

from collections.abc import Sequence

import pandas as pd

from cohortsmith.imaging.sources.archive_tables import Table, TableFile, read_archive_table
from cohortsmith.imaging.sources.archive_values import (
    days_between,
    harmless,
    known,
    look_up,
    parse_dates,
    parse_numbers,
    translate,
)
from cohortsmith.imaging.sources.field_map import AiblMap, TableMap

_VISIT = ["number", "session"]


def read_scans(files: Sequence[TableFile], names: AiblMap) -> Table:
    """Read the tables of scans: number, code, session, exam (the day) and table (0 for 1.5 T, 1 for 3 T)."""
    parts = [_read(files, table, names) for table in names.tables.scans]
    frames = [part.frame.assign(table=place) for place, part in enumerate(parts)]
    return Table(pd.concat(frames, ignore_index=True), tuple(warning for part in parts for warning in part.warnings))


def read_visits(files: Sequence[TableFile], names: AiblMap) -> Table:
    """Read one row per person and session of any table: values of the visit and of the person.

    Columns: number, session (label without ses-), month, exam (date, NaT if unknown), day (since the first known
    visit), age (exam year minus birth year: nothing more is known), sex, site, diagnosis, baseline_diagnosis, mmse.
    """
    tables = names.tables
    people = _read(files, tables.demographics, names)
    diagnoses, mmse = (_read(files, table, names) for table in (tables.diagnoses, tables.mmse))
    # The tables of scans are among those with dates, and their absence is told where they are read.
    dates = [_read(files, table, names) for table in tables.dates]
    frames = [part.frame for part in (diagnoses, mmse, *dates)]
    keys = pd.concat([frame[[*_VISIT, "code"]] for frame in frames], ignore_index=True)
    visits = keys[keys["session"] != ""].drop_duplicates(_VISIT).sort_values(_VISIT, ignore_index=True)
    visits = _with_values(visits, diagnoses.frame, mmse.frame, [part.frame for part in dates], names)
    warnings = tuple(warning for part in (people, diagnoses, mmse, *dates) for warning in part.warnings)
    return Table(_with_person(visits, people.frame, names), warnings)


def session_of(code: pd.Series, baseline: Sequence[str]) -> pd.Series:
    """Give the session's label of a visit code: M000 for bl, M018 for m18; empty for codes that are no month."""
    lower = code.str.lower()
    month = lower.str.extract(r"^m0*([0-9]{1,3})$", expand=False).mask(lower.isin(baseline), "0")
    return ("M" + month.str.zfill(3)).fillna("").astype(str)


def person_number(text: pd.Series) -> pd.Series:
    """Give a person's number without leading zeros and decimals."""
    return text.str.extract(r"^0*([0-9]+?)(?:\.0)?$", expand=False).fillna("").astype(str)


def _read(files: Sequence[TableFile], table: TableMap, names: AiblMap) -> Table:
    read = read_archive_table(files, table)
    frame = read.frame.apply(lambda column: known(column, names.values.missing))
    frame = frame.assign(number=person_number(frame["person"]))
    if "code" in frame:
        frame = frame.assign(session=session_of(frame["code"], names.values.baseline))
    if "exam" in frame:
        frame = frame.assign(exam=parse_dates(frame["exam"]))
    return Table(frame[frame["number"] != ""].reset_index(drop=True), read.warnings)


def _with_values(
    visits: pd.DataFrame, diagnoses: pd.DataFrame, mmse: pd.DataFrame, dates: list[pd.DataFrame], names: AiblMap
) -> pd.DataFrame:
    dated = pd.concat([frame[[*_VISIT, "exam"]] for frame in dates], ignore_index=True)
    visits = visits.merge(dated[dated["exam"].notna()].drop_duplicates(_VISIT), "left", _VISIT)
    visits = visits.merge(diagnoses.drop_duplicates(_VISIT)[[*_VISIT, "diagnosis"]], "left", _VISIT)
    visits = visits.merge(mmse.drop_duplicates(_VISIT)[[*_VISIT, "mmse"]], "left", _VISIT)
    month = visits["session"].str[1:].astype(float)
    diagnosis = translate(visits["diagnosis"].fillna("").astype(str), names.values.diagnosis)
    first = visits.groupby("number")["exam"].transform("min")
    baseline = diagnosis[month == 0].set_axis(visits.loc[month == 0, "number"])
    return visits.assign(
        month=month,
        diagnosis=diagnosis,
        baseline_diagnosis=look_up(visits["number"], baseline).fillna("n/a"),
        mmse=parse_numbers(visits["mmse"], 0, 30),
        day=days_between(visits["exam"], first),
    )


def _with_person(visits: pd.DataFrame, people: pd.DataFrame, names: AiblMap) -> pd.DataFrame:
    person = people.drop_duplicates("number").set_index("number")
    born = parse_numbers(person["birth"].str.extract(r"([0-9]{4})$", expand=False))
    age = visits["exam"].dt.year - look_up(visits["number"], born)
    site = harmless(look_up(visits["number"], person["site"]).fillna("").astype(str))
    return visits.assign(
        age=age.where(age.between(0, 120)),
        sex=look_up(visits["number"], translate(person["sex"], names.values.sex)).fillna("n/a"),
        site=site.where(site != "", "n/a"),
    )
