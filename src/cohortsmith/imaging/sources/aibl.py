"""AIBL as the archive delivers it: image folders by number of the person and sequence; tables with -4 for unknown.

  1. Folders of a sequence of the first kind belong to the visit whose scan, in the tables of scans, is of the same day.
  2. Folders of the second kind have no day of use: they belong to the baseline visit, those of two people to month 54.
  3. Of several images of a visit the first found is taken: first kind first, 1.5 T first, then in the order of the
     sequences in the field map, of days and of places.
Source: Clinica's converter (Samper-González et al., NeuroImage 2018).
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources.aibl_visits import person_number, read_scans, read_visits, session_of
from cohortsmith.imaging.sources.archive_folders import list_stored_images, places_of, reject_nameless
from cohortsmith.imaging.sources.archive_tables import list_table_files, tables_folder
from cohortsmith.imaging.sources.archive_values import contains, parse_dates
from cohortsmith.imaging.sources.candidates import candidate_name
from cohortsmith.imaging.sources.clinical_table import require_folder
from cohortsmith.imaging.sources.field_map import AiblImages, AiblMap, read_field_map
from cohortsmith.imaging.sources.inventory import ClinicalVisit, Inventory, Visit
from cohortsmith.imaging.sources.listing import STEP
from cohortsmith.records import Rejection

_REASONS = {
    "aibl.dated": "its day is that of the visit in the tables of scans",
    "aibl.undated": "its sequence is one that was only acquired at this visit",
    "aibl.ignored_folder": "the folder is known to belong to nobody",
    "aibl.other_sequence": "not among the T1-weighted sequences that are used",
    "aibl.empty_folder": "the folder holds no image",
    "aibl.no_visit": "no row of the tables of scans is of the day of this image",
    "aibl.no_session": "its visit is no session of the study: its code is not a month",
    "aibl.later_image": "another image of the visit comes before it",
    "aibl.not_on_disk": "scan is missing: the tables list a scan of this visit, but no folder holds one",
}
_CHOSEN = ("aibl.dated", "aibl.undated")


def read_inventory(study: StudyConfig) -> Inventory:
    """List the visits of AIBL's images below `study.path`, with the tables below `study.table` (else the same folder).

    Raises `StudyError` if there is no T1-weighted image at all, or no clinical table.
    """
    root = require_folder(study.path, "study.path")
    names = read_field_map(AiblMap, "aibl")
    files = list_table_files(tables_folder(study, root), names.images.person)
    listing = list_stored_images(root, names.images.person)
    images = _t1w(listing.frame, names.images)
    if images.empty:
        raise _unusable("no T1-weighted image of AIBL was found", "no folder <number>/<sequence> such as 12/MPRAGE")
    visits, scans = read_visits(files, names), read_scans(files, names)
    if visits.frame.empty:
        raise _unusable("no clinical table of AIBL can be used", "no aibl_*.csv with RID and VISCODE")
    decided = _decide(images, scans.frame, names).merge(visits.frame, "left", ["number", "session"])
    return Inventory(
        tuple(_visits(decided[decided["rule"].isin(_CHOSEN)])),
        (
            *_rejections(decided[~decided["rule"].isin(_CHOSEN)]),
            *_missing(scans.frame, decided),
            *reject_nameless(listing),
        ),
        tuple(_clinical(visits.frame)),
        tuple(dict.fromkeys((*listing.warnings, *visits.warnings, *scans.warnings))),
        (*zip(decided["candidate"], decided["place"], strict=True), *places_of(listing)),
    )


def _unusable(what: str, got: str) -> StudyError:
    return StudyError(
        what,
        where="study.path, study.table",
        got=got,
        expected="the folder into which the images of the AIBL collection and its clinical data were unpacked",
        remedy="at LONI download the images of project AIBL, and Download Clinical Data; set study.table to its folder",
    )


def _t1w(frame: pd.DataFrame, names: AiblImages) -> pd.DataFrame:
    used = frame["sequence"].isin([*names.dated, *names.undated])
    kept = frame[used | contains(frame["sequence"].str.lower(), names.t1w)].reset_index(drop=True)
    number = "I" + kept["image"]
    plain = (kept["image"] != "") & ~number.duplicated()
    place = pd.Series([candidate_name(place) for place in kept["place"]], index=kept.index, dtype=str)
    return kept.assign(number=person_number(kept["person"]), candidate=number.where(plain, place))


def _decide(images: pd.DataFrame, scans: pd.DataFrame, names: AiblMap) -> pd.DataFrame:
    """Give each image its session and its rule."""
    day = parse_dates(images["date"])
    rows = scans[scans["exam"].notna()].drop_duplicates(["number", "exam"])
    found = images[["number"]].assign(exam=day).merge(rows, "left", ["number", "exam"])
    dated, undated = images["sequence"].isin(names.images.dated), images["sequence"].isin(names.images.undated)
    code = found["code"].fillna("").where(dated, _undated_codes(images, names.images).where(undated, ""))
    frame = images.assign(session=session_of(code, names.values.baseline), day_of_scan=day)
    rule = pd.Series(np.where(dated, *_CHOSEN), index=frame.index, dtype=object)
    rule = rule.mask(frame["session"] == "", "aibl.no_session").mask(code == "", "aibl.no_visit")
    rule = rule.mask(frame["source"] == "", "aibl.empty_folder").mask(~dated & ~undated, "aibl.other_sequence")
    rule = rule.mask(frame["person"].isin(names.images.ignored_people), "aibl.ignored_folder")
    frame = frame.assign(rule=rule, table=found["table"].fillna(0))
    return frame.assign(rule=rule.mask(_is_later(frame, names.images), "aibl.later_image"))


def _undated_codes(images: pd.DataFrame, names: AiblImages) -> pd.Series:
    return images["number"].map(lambda number: names.undated_exceptions.get(number, names.undated_visit)).astype(str)


def _is_later(frame: pd.DataFrame, names: AiblImages) -> pd.Series:
    order = {name: place for place, name in enumerate([*names.dated, *names.undated])}
    usable = frame[frame["rule"].isin(_CHOSEN)]
    usable = usable.assign(order=[order[name] for name in usable["sequence"]])
    ordered = usable.sort_values(["rule", "table", "order", "day_of_scan", "place"], kind="stable")
    return ordered.duplicated(["number", "session"]).reindex(frame.index, fill_value=False)


def _key(number: str, session: str) -> str:
    return f"sub-AIBL{number}_ses-{session}"


def _visits(chosen: pd.DataFrame) -> Iterator[Visit]:
    for row in chosen.sort_values(["number", "session"]).to_dict("records"):
        yield Visit(
            key=_key(row["number"], row["session"]),
            participant_id=f"sub-AIBL{row['number']}",
            session_id=f"ses-{row['session']}",
            source=row["source"],
            diagnosis=_or_unknown(row["diagnosis"]),
            age=float(row["age"]),
            sex=_or_unknown(row["sex"]),
            mmse=float(row["mmse"]),
            site=_or_unknown(row["site"]),
            candidate=row["candidate"],
            rule=row["rule"],
            reason=_REASONS[row["rule"]],
            day=None if math.isnan(row["day"]) else int(row["day"]),
            files=row["files"],
        )


def _or_unknown(value: object) -> str:
    return value if isinstance(value, str) and value else "n/a"


def _rejections(others: pd.DataFrame) -> Iterator[Rejection]:
    for row in others.to_dict("records"):
        key = _key(row["number"], row["session"]) if row["session"] else ""
        yield Rejection(key, STEP, _REASONS[row["rule"]], row["candidate"], row["rule"])


def _missing(scans: pd.DataFrame, decided: pd.DataFrame) -> Iterator[Rejection]:
    """Name the visits whose scan the tables list and that have no image at all."""
    rule = "aibl.not_on_disk"
    known: Sequence[str] = [_key(*pair) for pair in zip(decided["number"], decided["session"], strict=True)]
    listed = scans[scans["session"] != ""].drop_duplicates(["number", "session"])
    keys = {_key(*pair) for pair in zip(listed["number"], listed["session"], strict=True)}
    for key in sorted(keys - set(known)):
        yield Rejection(key, STEP, _REASONS[rule], candidate_name(key), rule)


def _clinical(visits: pd.DataFrame) -> Iterator[ClinicalVisit]:
    for row in visits.to_dict("records"):
        person, session = f"sub-AIBL{row['number']}", f"ses-{row['session']}"
        yield ClinicalVisit(person, session, row["month"], row["diagnosis"], row["baseline_diagnosis"])
