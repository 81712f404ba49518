"""A folder or archive of DICOM files, with or without a table; nothing of a person's identity is carried on."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.imaging.bids import scan_key
from cohortsmith.imaging.sources.candidates import candidate_name
from cohortsmith.imaging.sources.clinical_table import Person
from cohortsmith.imaging.sources.dicom_choice import Choice, judge_visit
from cohortsmith.imaging.sources.dicom_headers import is_archive, portions
from cohortsmith.imaging.sources.dicom_series import Series, Survey, day_of, survey_archive, survey_folder
from cohortsmith.imaging.sources.dicom_table import Row, match_rows
from cohortsmith.imaging.sources.identified_rows import UnidentifiedRow
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.listing import (
    STEP,
    Found,
    collect,
    rejection,
    row_candidate,
    visit,
    visit_or_rejection,
)
from cohortsmith.imaging.sources.work import Work, one_by_one
from cohortsmith.records import Rejection

_UNKNOWN = Person("n/a", math.nan, "n/a", math.nan, "n/a")
_PASSED_OVER = {
    "outside": "files were passed over: symbolic links lead out of the study's folder",
    "unreadable": "files could not be read",
    "too_large": "files of the archive were passed over: they are larger than any image",
}
Groups = dict[tuple[str, str], list[Series]]


def read_inventory(study: StudyConfig, work: Work = one_by_one) -> Inventory:
    """List every series of the DICOM folder or archive at `study.path`.

    With `study.table`: one visit per row, see `dicom_table`. Studies that no row names are rejections.
    Without: one visit per DICOM study, patients numbered sub-0001, ... by date of their first study, diagnosis n/a.
    """
    source = _require_source(study.path)
    survey = survey_archive(source) if is_archive(source) else survey_folder(source, portions(source), work)
    if not survey.series:
        raise StudyError(
            "no DICOM series found",
            where="study.path",
            got="no file with a SeriesInstanceUID",
            expected="a folder or .tar.* archive of DICOM files",
            remedy="point study.path at the exported series",
        )
    conflicting = _conflicting(survey.series)
    groups = _by_study([one for one in survey.series if one.identity not in conflicting])
    found = _listed(source, groups, study) if study.table else _numbered(source, groups)
    refused = [_rejection("", one, *_CONFLICT) for one in survey.series if one.identity in conflicting]
    return collect([*found, *refused], _warnings(survey))._replace(places=tuple(_places(survey.series)))


_CONFLICT = ("dicom.conflicting_ids", "the same SeriesInstanceUID stands under several patients or studies")


def _require_source(path: str) -> Path:
    place = Path(path).expanduser()
    if not path or not place.exists():
        raise ConfigurationError(
            "the study's DICOM files do not exist",
            where="study.path",
            got=path or "nothing",
            expected="an existing folder, or a .tar, .tar.gz, .tar.bz2 or .tar.xz archive",
            remedy="set study.path in conf/local/parameters.yml",
        )
    return place


def _warnings(survey: Survey) -> list[str]:
    return [f"{survey.counts[why]} {text}" for why, text in _PASSED_OVER.items() if survey.counts.get(why)]


def _places(series: Iterable[Series]) -> Iterable[tuple[str, str]]:
    for one in series:
        yield candidate_name(one.place), f"{' + '.join(one.folders)}; PatientID {one.patient}; {one.moment[:8]}"


def _conflicting(series: list[Series]) -> set[str]:
    counts = Counter(one.digest for one in series if one.digest)
    return {one.identity for one in series if counts[one.digest] > 1}


def _by_study(series: list[Series]) -> Groups:
    groups: Groups = defaultdict(list)
    for one in sorted(series, key=lambda one: (one.moment, one.study, one.number, one.identity)):
        groups[one.patient, one.study].append(one)
    return groups


def _rejection(key: str, series: Series, rule: str, reason: str) -> Rejection:
    return Rejection(key, STEP, reason, candidate_name(series.place), rule)


def _numbered(source: Path, groups: Groups) -> list[Visit | Rejection]:
    patients = {patient: index for index, patient in enumerate(dict.fromkeys(patient for patient, _ in groups), 1)}
    first = _first_days(groups, {group: group[0] for group in groups})
    found: list[Visit | Rejection] = []
    sessions: Counter[str] = Counter()
    for group, series in groups.items():
        sessions[group[0]] += 1
        key = scan_key(f"{patients[group[0]]:04d}", f"{sessions[group[0]]:02d}")
        for choice in judge_visit(series):
            found.append(
                visit(key, _found(source, choice, first.get(group[0])), _UNKNOWN)
                if choice.is_chosen
                else _rejection(key, choice.series, choice.rule, choice.reason)
            )
    return found


def _first_days(groups: Groups, person_of: Mapping[tuple[str, str], str]) -> dict[str, date]:
    """Give the day of every person's first study."""
    days: dict[str, date] = {}
    for group, person in person_of.items():
        day = day_of(groups[group][0])
        if day is not None:
            days[person] = min(day, days.get(person, day))
    return days


def _found(source: Path, choice: Choice, first: date | None) -> Found:
    series, day = choice.series, day_of(choice.series)
    return Found(
        str(source),
        series.digest,
        series.place,
        choice.rule,
        choice.reason,
        (day - first).days if day and first else None,
        () if is_archive(source) else series.folders,
        series.content,
    )


def _listed(source: Path, groups: Groups, study: StudyConfig) -> list[Visit | Rejection]:
    matched = match_rows(source, groups, study)
    claims = Counter(row.groups[0] for row in matched if len(row.groups) == 1)
    owners = {row.groups[0]: row.participant for row in matched if len(row.groups) == 1 and row.key}
    first = _first_days(groups, owners)
    found = [
        item for row in matched for item in _of_row(source, row, groups, claims, first.get(row.participant), study)
    ]
    listed = {item.candidate for item in found}
    rest = [one for series in groups.values() for one in series if candidate_name(one.place) not in listed]
    named = {group for row in matched for group in row.groups}
    return [*found, *(_rejection("", one, *_why_not_listed(one, named)) for one in rest)]


def _why_not_listed(series: Series, named: set[tuple[str, str]]) -> tuple[str, str]:
    if (series.patient, series.study) in named:
        return "dicom.ambiguous_row", "rows of the table lead to several visits, or several rows to this one"
    return "dicom.not_in_table", "no row of the table leads to this DICOM study"


def _of_row(
    source: Path, row: Row, groups: Groups, claims: Counter[tuple[str, str]], first: date | None, study: StudyConfig
) -> list[Visit | Rejection]:
    if row.unidentified:
        return _of_nobody(row.unidentified, row.groups, groups, claims)
    if not row.groups:
        return [_without_scan(row, "files.missing", "scan is missing: no DICOM series here or of this patient ID")]
    if len(row.groups) > 1:
        reason = "several DICOM studies match; give the folder or the date of one visit"
        return [_without_scan(row, "dicom.several_studies", reason)]
    if claims[row.groups[0]] > 1:
        return [_without_scan(row, "files.named_twice", "several rows of the table lead to this DICOM study")]
    return [
        visit_or_rejection(row.key, _found(source, choice, first), row.values, study)
        if choice.is_chosen
        else _rejection(row.key, choice.series, choice.rule, choice.reason)
        for choice in judge_visit(groups[row.groups[0]])
    ]


def _of_nobody(
    row: UnidentifiedRow, led_to: tuple[tuple[str, str], ...], groups: Groups, claims: Counter[tuple[str, str]]
) -> list[Visit | Rejection]:
    """Set aside the study of a row that names nobody, or the row alone if it is not the only row of one study."""
    if len(led_to) == 1 and claims[led_to[0]] == 1:
        return [_rejection("", one, row.error.rule, str(row.error)) for one in groups[led_to[0]]]
    return [rejection("", row.error, row.candidate)]


def _without_scan(row: Row, rule: str, reason: str) -> Rejection:
    return Rejection(row.key, STEP, reason, row_candidate(row.key), rule)
