"""Clinical visits of ADNI: from ADNIMERGE, or where it is absent from the tables that it was merged from."""

from collections.abc import Sequence

import pandas as pd

from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources.adni_stand_ins import DAYS_PER_YEAR, STAND_INS, of_stand_ins
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
from cohortsmith.imaging.sources.field_map import AdniMap, TableMap

COLUMNS = (
    *("person", "code", "exam", "month", "session", "protocol", "original_protocol"),
    *("age", "sex", "site", "diagnosis", "group", "mmse", "day"),
)


def read_visits(files: Sequence[TableFile], names: AdniMap, people: Sequence[str]) -> Table:
    """Read one row per person and visit code, in the order of the table, with the columns `COLUMNS`.

    people: PTID of those with images; they translate a table's RID where it has no PTID.
    exam: date. month: since baseline. session: label without ses-, empty for a visit that has none. age: years.
    day: days since the person's first known visit. Text is empty or n/a, numbers NaN, dates NaT where unknown.
    Raises `StudyError` if no table lists visits.
    """
    read = {key: _read(files, names, getattr(names.tables, key), people) for key in ("visits", "diagnoses", *STAND_INS)}
    frames = {key: table.frame for key, table in read.items()}
    merged, others = _of_adnimerge(frames["visits"], frames["diagnoses"], names), of_stand_ins(frames, names)
    # Of a protocol that ADNIMERGE covers it knows everyone who took part; the other tables know the others, too.
    later = ~others["original_protocol"].isin(merged["original_protocol"]) & ~others["person"].isin(merged["person"])
    frame = pd.concat([part for part in (merged, others[later]) if len(part)] or [merged], ignore_index=True)
    if frame.empty:
        raise _no_visits()
    needed = ("visits", "diagnoses") if len(merged) else tuple(read)
    warnings = (warning for key in needed for warning in read[key].warnings)
    return Table(_finished(frame, names), tuple(dict.fromkeys(warnings)))


def _no_visits() -> StudyError:
    return StudyError(
        "no table of ADNI's visits can be used",
        where="study.table",
        got="neither ADNIMERGE nor REGISTRY or DXSUM with a person and a visit code",
        expected="ADNIMERGE.csv, or REGISTRY.csv, DXSUM.csv, PTDEMOG.csv and MMSE.csv; a date in the name is fine",
        remedy="download them at LONI under Study Data, or name the folder that holds them in study.table",
    )


def _read(files: Sequence[TableFile], names: AdniMap, table: TableMap, people: Sequence[str]) -> Table:
    read = read_archive_table(files, table)
    frame = read.frame.apply(lambda column: known(column, names.values.missing))
    of_people = _with_person(frame, people, names.images.person)
    said = f"No row of {' or '.join(table.files)} names a person by PTID or a known RID: {table.lost} cannot be known."
    return Table(of_people, (*read.warnings, said) if len(frame) and of_people.empty else read.warnings)


def _with_person(frame: pd.DataFrame, people: Sequence[str], pattern: str) -> pd.DataFrame:
    # A roster number is the last group of a PTID.
    by_number = {person.rsplit("_", 1)[-1].lstrip("0"): person for person in people}
    of_roster = frame["roster"].str.removesuffix(".0").str.lstrip("0").map(by_number).fillna("")
    person = frame["person"].where(frame["person"] != "", of_roster)
    return frame.assign(person=person)[person.str.fullmatch(pattern)].reset_index(drop=True)


def _of_adnimerge(frame: pd.DataFrame, diagnoses: pd.DataFrame, names: AdniMap) -> pd.DataFrame:
    exam, first = parse_dates(frame["exam"]), parse_dates(frame["first_exam"])
    code = frame["code"].str.lower()
    month = _month_of(code).mask(code.isin(names.visits.baseline), 0.0)
    frame = frame.assign(exam=exam, code=code, diagnosis=translate(frame["diagnosis"], names.values.diagnosis))
    first = first.fillna(frame.groupby("person")["exam"].transform("min"))
    later = (days_between(exam, first) / DAYS_PER_YEAR).fillna(month / 12).mask(month == 0, 0.0)
    return frame.assign(
        age=parse_numbers(frame["age"], 0, 120) + later,
        sex=translate(frame["sex"], names.values.sex),
        group=_repaired_group(frame, diagnoses, names),
    )


def _month_of(code: pd.Series) -> pd.Series:
    return parse_numbers(code.str.extract(r"^m([0-9]{1,3})$", expand=False))


def _repaired_group(frame: pd.DataFrame, diagnoses: pd.DataFrame, names: AdniMap) -> pd.Series:
    """Take the group at screening of people who joined in ADNI3 from the table of diagnoses."""
    screening = diagnoses[diagnoses["code"].str.lower().isin(names.visits.screening)].drop_duplicates("person")
    repaired = look_up(
        frame["person"], translate(screening["diagnosis"], names.values.diagnosis).set_axis(screening["person"])
    )
    group = frame["group"].where(frame["group"] != "", "n/a")
    joined_late = frame["original_protocol"].isin(names.visits.group_from_screening)
    return repaired.where(joined_late & repaired.notna() & (repaired != "n/a"), group)


def _finished(frame: pd.DataFrame, names: AdniMap) -> pd.DataFrame:
    code = frame["code"].mask(frame["code"].isin(names.visits.baseline), names.visits.baseline[0])
    month = _month_of(code).mask(code == names.visits.baseline[0], 0.0)
    # m6 and m006 are the visit m06.
    plain = "m" + month.fillna(0).astype(int).astype(str).str.zfill(2)
    code = code.where(month.isna() | (month == 0), plain)
    session = ("M" + month.fillna(0).astype(int).astype(str).str.zfill(3)).where(month.notna(), "")
    session = session.mask(code.isin(names.visits.no_session), "")
    frame = frame.assign(code=code, month=month, session=session, mmse=parse_numbers(frame["mmse"], 0, 30))
    site, group = harmless(frame["site"]).str.removesuffix(".0"), harmless(frame["group"])
    first = frame.groupby("person")["exam"].transform("min")
    frame = frame.assign(
        day=days_between(frame["exam"], first),
        site=site.where(site != "", frame["person"].str[:3]),
        group=group.where(group != "", "n/a"),
        protocol=frame["protocol"].where(frame["protocol"] != "", frame["original_protocol"]),
    )
    return frame.drop_duplicates(["person", "code"])[list(COLUMNS)].reset_index(drop=True)
