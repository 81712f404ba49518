"""The embedded study, delivered: the cohort as one visit per person, and a few traps beside it.

The training study comes as ADNI's tree and tables, the external one as AIBL's. What will be set aside anyway is a
speck of an image.
"""

from collections.abc import Hashable, Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.phantom.cohort import Study, draw_cohort
from cohortsmith.imaging.phantom.delivery import adni, adni_traps, aibl, aibl_traps
from cohortsmith.imaging.phantom.delivery.files import Files
from cohortsmith.imaging.phantom.scan import PhantomScan, scan_person
from cohortsmith.imaging.volume import Volume

FIRST_DAY = {"training": date(2006, 1, 9), "external": date(2008, 1, 7)}
WORDS = {"CN": "CN", "AD": "Dementia"}
CODES = {"CN": 1, "AD": 3}
PER_BLOCK = 900  # numbers below those of the traps
# A person of no trap in particular, for traps that are scanned like anybody.
CONTROL = pd.Series({"diagnosis": "CN", "age": 74.0, "site": "S01"})


class Delivery(NamedTuple):
    """One person's files, and what the scan was made from (empty where nothing but specks is delivered)."""

    files: Files
    truth: dict[str, Any]


def delivered_people(config: PhantomConfig, study: Study) -> dict[str, int]:
    """List everybody who is delivered, the cohort first: BIDS subject -> number for `deliver_person`."""
    if study == "training":
        names = [f"sub-ADNI{subject.ptid.replace('_', '')}" for subject in _adni_subjects(config)]
    else:
        names = [f"sub-AIBL{subject.rid}" for subject in _aibl_subjects(config)]
    return {name: number for number, name in enumerate(names)}


def deliver_tables(config: PhantomConfig, study: Study) -> Files:
    """Give the study's tables."""
    return adni.tables(_adni_subjects(config)) if study == "training" else aibl.tables(_aibl_subjects(config))


def deliver_person(config: PhantomConfig, study: Study, number: int) -> Delivery:
    """Scan one person of `delivered_people` and give what the archive sends."""
    cohort = draw_cohort(config, study)
    people = _adni_subjects(config) if study == "training" else _aibl_subjects(config)
    is_scanned = number < len(cohort) + len(_scanned_traps(study))
    person = cohort.iloc[number] if number < len(cohort) else CONTROL
    scan = scan_person(config, study, number, person) if is_scanned else None
    return Delivery(_image_files(people[number], scan), _truth(scan))


def _image_files(person: adni.Subject | aibl.Subject, scan: PhantomScan | None) -> Files:
    """Give the files of a person's images; the first is the scan, the others are specks."""
    volumes = [scan.volume if scan else speck(), *(speck() for _ in person.images[1:])]
    files: Files = {}
    if isinstance(person, adni.Subject):
        for image, volume in zip(person.images, volumes, strict=False):
            files |= adni.image_files(person, image, volume)
    else:
        for series, volume in zip(person.images, volumes, strict=False):
            files |= aibl.image_files(person, series, volume)
    return files


def speck() -> Volume:
    """Give the smallest image that a reader may take for one."""
    return Volume(np.arange(16, dtype=np.float32).reshape(2, 2, 4), np.diag([80.0, 80.0, 40.0, 1.0]))


def _truth(scan: PhantomScan | None) -> dict[str, Any]:
    return {**scan.truth._asdict(), "pose": scan.truth.pose.tolist()} if scan else {}


def _scanned_traps(study: Study) -> tuple[Any, ...]:
    return adni_traps.REJECTED_FROM_COHORT if study == "training" else ()


def _adni_subjects(config: PhantomConfig) -> list[adni.Subject]:
    traps = (*adni_traps.REJECTED_FROM_COHORT, *adni_traps.REJECTED_BY_INGESTION)
    members = [_adni_member(number, row) for number, row in _rows(config, "training")]
    return [*members, *(subject for trap in traps for subject in trap.subjects)]


def _aibl_subjects(config: PhantomConfig) -> list[aibl.Subject]:
    members = [_aibl_member(number, row) for number, row in _rows(config, "external")]
    return [*members, *(subject for trap in aibl_traps.REJECTED_BY_INGESTION for subject in trap.subjects)]


def _rows(config: PhantomConfig, study: Study) -> Iterator[tuple[int, dict[Hashable, Any]]]:
    return enumerate(draw_cohort(config, study).to_dict("records"))


def _adni_member(number: int, row: dict[Hashable, Any]) -> adni.Subject:
    block, place = divmod(number, PER_BLOCK)
    day = FIRST_DAY["training"] + timedelta(days=number)
    first = 10 * (80_000 + number)
    scan = adni.Image(first + 1, first + 1, adni.N3, day)
    beside, failed = _beside(number, scan)
    return adni.Subject(
        ptid=f"9{block}{row['site'][-1]}_S_{9000 + place}",
        examinations=(adni.Examination("bl", day, WORDS[row["diagnosis"]], mmse=row["mmse"]),),
        images=(scan, *beside),
        group=row["diagnosis"],
        age=row["age"],
        sex=row["sex"],
        quality=failed,
    )


def _beside(number: int, scan: adni.Image) -> tuple[tuple[adni.Image, ...], tuple[tuple[int, bool], ...]]:
    """Plant beside the first persons' scans what must not be taken in their place, with its row on quality if any."""
    before, after = scan.series - 1, scan.series + 1
    planted = {
        0: ((scan._replace(image=scan.image + 4, sequence=adni.SCALED),), ()),
        1: ((scan._replace(image=scan.image + 4, series=after),), ()),
        2: ((scan._replace(image=scan.image + 4, series=before),), ((before, False),)),
        3: ((scan._replace(image=scan.image + 4, series=before, field_strength=3.0),), ()),
        4: ((scan._replace(image=scan.image + 4, sequence=adni.RAW, original=True),), ()),
    }
    return planted.get(number, ((), ()))


def _aibl_member(number: int, row: dict[Hashable, Any]) -> aibl.Subject:
    day = FIRST_DAY["external"] + timedelta(days=number)
    return aibl.Subject(
        rid=str(9000 + number if number < PER_BLOCK else 90_000 + number),
        examinations=(aibl.Examination("bl", f"{day:%m/%d/%Y}", CODES[row["diagnosis"]], row["mmse"]),),
        images=(aibl.Image(10 * (90_000 + number), day),),
        born=day.year - round(row["age"]),
        sex={"M": 1, "F": 2}[row["sex"]],
        site=int(row["site"][1:]),
    )
