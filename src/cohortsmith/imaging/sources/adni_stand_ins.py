"""Clinical visits of ADNI from the tables that ADNIMERGE was merged from: for downloads and people that it lacks."""

from collections.abc import Mapping

import pandas as pd

from cohortsmith.imaging.sources.archive_values import days_between, look_up, parse_dates, translate
from cohortsmith.imaging.sources.field_map import AdniMap

DAYS_PER_YEAR = 365.25
STAND_INS = ("registry", "demographics", "mmse")


def of_stand_ins(parts: Mapping[str, pd.DataFrame], names: AdniMap) -> pd.DataFrame:
    """Give one row per person and visit code with text and values as in `adni_visits`, without session and day.

    parts: the tables `STAND_INS` and diagnoses, under our names for the columns. People whom the register only knows
    from screening did not take part and are left out.
    """
    diagnoses = parts["diagnoses"].assign(diagnosis=translate(parts["diagnoses"]["diagnosis"], names.values.diagnosis))
    rows = pd.concat([parts["registry"], diagnoses], ignore_index=True)
    rows = rows.assign(code=rows["code"].str.lower(), exam=parse_dates(rows["exam"]))
    # The register also lists telephone calls and other events, which are no visits.
    is_visit = rows["code"].str.fullmatch(r"m[0-9]{1,3}") | rows["code"].isin(
        [*names.visits.baseline, *names.visits.screening]
    )
    rows = rows[is_visit & ~rows["person"].isin(_not_enrolled(parts["registry"], names))]
    screening = rows["code"].isin(names.visits.screening)
    group = rows[screening & (rows["diagnosis"] != "n/a")].dropna(subset="diagnosis").drop_duplicates("person")
    # Screening belongs to the baseline visit, whose own values come first.
    rows = rows.assign(code=rows["code"].mask(screening, names.visits.baseline[0])).iloc[
        screening.to_numpy().argsort(kind="stable")
    ]
    text = rows.replace({"": None, "n/a": None})
    visits = text.groupby(["person", "code"], sort=False).first().reset_index()
    first_protocol = text.sort_values("exam").groupby("person")["protocol"].first()
    visits = visits.assign(original_protocol=look_up(visits["person"], first_protocol))
    visits = visits.assign(group=look_up(visits["person"], group.set_index("person")["diagnosis"]))
    return _with_people(visits, parts["demographics"], parts["mmse"], names)


def _not_enrolled(registry: pd.DataFrame, names: AdniMap) -> set[str]:
    later = ~registry["code"].str.lower().isin(names.visits.screening)
    return set(registry["person"]) - set(registry.loc[later, "person"])


def _with_people(visits: pd.DataFrame, demographics: pd.DataFrame, mmse: pd.DataFrame, names: AdniMap) -> pd.DataFrame:
    person = demographics.drop_duplicates("person").set_index("person")
    sex = translate(person["sex"], names.values.sex)
    age = days_between(visits["exam"], look_up(visits["person"], _births(person))) / DAYS_PER_YEAR
    code = mmse["code"].str.lower()
    code = code.mask(code.isin(names.visits.screening), names.visits.baseline[0])
    scores = mmse.assign(code=code)[mmse["mmse"] != ""].drop_duplicates(["person", "code"])
    visits = visits.merge(scores[["person", "code", "mmse"]], on=["person", "code"], how="left")
    blank = visits.reindex(columns=["site", "protocol", "original_protocol", "mmse"]).fillna("").astype(str)
    return visits.assign(
        **blank,
        age=age.where(age.between(0, 120)),
        sex=look_up(visits["person"], sex).fillna("n/a"),
        diagnosis=visits["diagnosis"].fillna("n/a"),
        group=visits["group"].fillna("n/a"),
        month="",
    )


def _births(person: pd.DataFrame) -> pd.Series:
    # Only month and year are known: the middle of the month is wrong by 15 days at most.
    parts = person["birth"].str.extract(r"^(?P<month>[0-9]{1,2})?/?(?:[0-9]{1,2}/)?(?P<year>[0-9]{4})$")
    month = parts["month"].fillna(person["birth_month"].where(person["birth_month"] != ""))
    year = parts["year"].fillna(person["birth_year"].where(person["birth_year"] != ""))
    return parse_dates(year.fillna("") + "-" + month.fillna("7") + "-15")
