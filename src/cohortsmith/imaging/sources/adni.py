"""ADNI as the archive delivers it: images in folders by person and sequence, and clinical tables, old names and new."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources.adni_images import nominal_field_strength, read_images
from cohortsmith.imaging.sources.adni_matching import match_visits
from cohortsmith.imaging.sources.adni_selection import CHOSEN, VISIT, select_images
from cohortsmith.imaging.sources.adni_visits import read_visits
from cohortsmith.imaging.sources.archive_folders import list_stored_images, places_of, reject_nameless
from cohortsmith.imaging.sources.archive_tables import TableFile, list_table_files, read_archive_table, tables_folder
from cohortsmith.imaging.sources.archive_values import digits, look_up
from cohortsmith.imaging.sources.clinical_table import require_folder
from cohortsmith.imaging.sources.field_map import AdniMap, read_field_map
from cohortsmith.imaging.sources.inventory import ClinicalVisit, Inventory, Visit
from cohortsmith.imaging.sources.listing import STEP
from cohortsmith.records import Rejection

_REASONS = {
    "adni.n3": "corrected by the archive up to N3, not scaled",
    "adni.scaled": "corrected and scaled by the archive; the image before scaling is not on disk",
    "adni.raw": "as scanned; no image of this visit that the archive has corrected is on disk",
    "adni.duplicate": "the same image lies in a second folder, or another person's image has the same number",
    "adni.no_subject": "no clinical table knows the person",
    "adni.no_row": "no list of images names it or its series",
    "adni.no_visit": "no clinical visit is left for the day or the visit name of this image",
    "adni.no_session": "its clinical visit is no session of the study: its code is not a month",
    "adni.exception_list": "images of this visit are known to be unusable",
    "adni.failed_quality": "failed ADNI's quality control",
    "adni.other_field_strength": "an image at the preferred field strength is used",
    "adni.lower_quality": "another image of the visit was selected or graded better in quality control",
    "adni.later_series": "an earlier series of the visit is used, or one that is not a repetition",
    "adni.processed_image": "another image that the archive has corrected, or corrected further, is used",
    "adni.other_sequence": "not among the T1-weighted sequences that are used of this protocol",
    "adni.other_stage": "another stage of correction of the same series is used",
    "adni.not_on_disk": "its series was chosen, but this image is not on disk",
}


def read_inventory(study: StudyConfig) -> Inventory:
    """List the visits of ADNI's images below `study.path`, with the tables below `study.table` (else the same folder).

    Raises `StudyError` if there is no T1-weighted image at all, or no table of clinical visits.
    """
    root = require_folder(study.path, "study.path")
    names = read_field_map(AdniMap, "adni")
    files = list_table_files(tables_folder(study, root), names.images.person)
    listing = list_stored_images(root, names.images.person)
    images = read_images(files, listing, names)
    if images.frame.empty:
        raise _no_images()
    visits = read_visits(files, names, sorted(set(images.frame["person"])))
    decided, warnings = _decide(images.frame, visits.frame, files, names)
    return Inventory(
        tuple(_visits(decided[decided["rule"].isin(CHOSEN)])),
        (*_rejections(decided[~decided["rule"].isin(CHOSEN)]), *reject_nameless(listing)),
        tuple(_clinical(visits.frame[visits.frame["session"] != ""])),
        tuple(dict.fromkeys((*images.warnings, *visits.warnings, *warnings))),
        (*_places(decided[decided["place"] != ""]), *places_of(listing)),
    )


def _no_images() -> StudyError:
    return StudyError(
        "no T1-weighted image of ADNI was found",
        where="study.path",
        got="no folder <ddd_S_dddd>/<sequence> with images, and no list of images such as MPRAGEMETA.csv",
        expected="the folder into which all parts of the image collection were unpacked",
        remedy="in LONI's image search tick Original, Pre-processed and Post-processed, modality MRI, and add MPRAGE",
    )


def _decide(
    images: pd.DataFrame, visits: pd.DataFrame, files: Sequence[TableFile], names: AdniMap
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    series = read_archive_table(files, names.tables.series_quality)
    quality = read_archive_table(files, names.tables.image_quality)
    kind = quality.frame["kind"].str.lower()
    graded = quality.frame[kind.isin(["", *names.images.t1w_quality_types])]
    graded = graded.assign(
        image=digits(graded["image"]), field_strength=nominal_field_strength(graded["field_strength"])
    )
    passed = series.frame.assign(series=digits(series.frame["series"]))
    images = images.assign(field_strength=_with_graded(images, graded))
    matched = images.join(match_visits(_known(images, visits), visits, names.visits))
    matched = matched.assign(code=matched["code"].fillna(""))
    frame = matched.merge(visits.drop(columns=["month"]), "left", VISIT)
    frame["rule"] = _first_rules(frame, visits, names)
    rest = frame[frame["rule"] == ""]
    frame.loc[rest.index, "rule"] = select_images(rest, passed, graded, names.images)
    return frame, (*series.warnings, *quality.warnings, *_warn_of_unknown_strength(frame))


def _known(images: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    known = images["person"].isin(visits["person"]) & ~_is_duplicate(images) & images["named"]
    return images[known]


def _is_duplicate(images: pd.DataFrame) -> pd.Series:
    return images.duplicated("image") & (images["image"] != "")


def _with_graded(images: pd.DataFrame, graded: pd.DataFrame) -> pd.Series:
    strength = graded.drop_duplicates("image").set_index("image")["field_strength"]
    return images["field_strength"].fillna(look_up(images["image"], strength))


def _first_rules(frame: pd.DataFrame, visits: pd.DataFrame, names: AdniMap) -> pd.Series:
    """Give the rules that need no comparison with other images; empty where none applies."""
    exceptions = pd.MultiIndex.from_tuples(names.exceptions)
    rule = pd.Series("", index=frame.index, dtype=object)
    rule = rule.mask(pd.MultiIndex.from_frame(frame[VISIT]).isin(exceptions), "adni.exception_list")
    rule = rule.mask(frame["session"].fillna("") == "", "adni.no_session")
    rule = rule.mask(frame["code"] == "", "adni.no_visit")
    rule = rule.mask(~frame["named"], "adni.no_row")
    rule = rule.mask(~frame["person"].isin(visits["person"]), "adni.no_subject")
    return rule.mask(_is_duplicate(frame), "adni.duplicate")


def _warn_of_unknown_strength(frame: pd.DataFrame) -> tuple[str, ...]:
    count = int(frame["field_strength"].isna().sum())
    if not count:
        return ()
    return (f"The field strength of {count} images is not known: between 1.5 T and 3 T their series' numbers decide.",)


def _places(on_disk: pd.DataFrame) -> Iterator[tuple[str, str]]:
    return zip(on_disk["candidate"], on_disk["place"], strict=True)


def _key(person: str, session: str) -> str:
    return f"{_participant(person)}_ses-{session}"


def _participant(person: str) -> str:
    return f"sub-ADNI{person.replace('_', '')}"


def _visits(chosen: pd.DataFrame) -> Iterator[Visit]:
    for row in chosen.sort_values(["person", "session"]).to_dict("records"):
        yield Visit(
            key=_key(row["person"], row["session"]),
            participant_id=_participant(row["person"]),
            session_id=f"ses-{row['session']}",
            source=row["source"],
            diagnosis=row["diagnosis"],
            age=float(row["age"]),
            sex=row["sex"],
            mmse=float(row["mmse"]),
            site=row["site"],
            candidate=row["candidate"],
            rule=row["rule"],
            reason=_reason(row["rule"], row["gap"]),
            day=None if math.isnan(row["day"]) else int(row["day"]),
            files=row["files"],
        )


def _reason(rule: str, gap: float) -> str:
    by_date = "" if math.isnan(gap) else f"; its visit is the closest, {abs(gap):.0f} days away"
    return _REASONS[rule] + by_date


def _rejections(others: pd.DataFrame) -> Iterator[Rejection]:
    session = others["session"].fillna("")
    for person, label, candidate, rule in zip(
        others["person"], session, others["candidate"], others["rule"], strict=True
    ):
        yield Rejection(_key(person, label) if label else "", STEP, _REASONS[rule], candidate, rule)


def _clinical(visits: pd.DataFrame) -> Iterator[ClinicalVisit]:
    for row in visits.to_dict("records"):
        yield ClinicalVisit(
            _participant(row["person"]), f"ses-{row['session']}", row["month"], row["diagnosis"], row["group"]
        )
