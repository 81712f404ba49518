"""Names of an archive's tables, columns, folders and values: data beside the code, read and checked."""

from functools import cache
from importlib import resources
from typing import TypeVar

import yaml

from cohortsmith.config.base import Config


class TableMap(Config):
    """One table of an archive, under all the names it has had.

    files:      names without suffix and date, the first that exists counts; * stands for anything
    columns:    our name of a column -> its names in the archive, the first that exists counts
    required:   our names of the columns without which the table is of no use
    lost:       what is not known without the table, in words
    spare:      our names of the columns that only some editions have
    several:    the newest file of every name counts, not only the first; rows follow each other in that order
    by_columns: every table with the required columns belongs to it, whatever its name
    only_t1w:   its rows are T1-weighted images, whatever their names
    optional:   nobody misses it
    """

    files: tuple[str, ...]
    columns: dict[str, tuple[str, ...]]
    required: tuple[str, ...]
    lost: str
    spare: tuple[str, ...] = ()
    several: bool = False
    by_columns: bool = False
    only_t1w: bool = False
    optional: bool = False


class AdniTables(Config):
    """Tables of ADNI; registry, diagnoses, demographics and mmse together stand in for visits."""

    visits: TableMap
    registry: TableMap
    diagnoses: TableMap
    demographics: TableMap
    mmse: TableMap
    image_lists: tuple[TableMap, ...]
    series_quality: TableMap
    image_quality: TableMap


class AdniValues(Config):
    """Values of ADNI's tables; keys of mappings are compared without letter case."""

    missing: tuple[str, ...]
    sex: dict[str, str]
    diagnosis: dict[str, str]
    processed: tuple[str, ...]
    original: tuple[str, ...]
    mri: tuple[str, ...]


class VisitLabels(Config):
    """Names of a protocol's visits in the lists of images, by month."""

    bl: tuple[str, ...] = ()
    m03: tuple[str, ...] = ()
    m06: tuple[str, ...] = ()
    before_month_54: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


class AdniVisits(Config):
    """How images find their visit; far and midpoint are days."""

    baseline: tuple[str, ...]
    screening: tuple[str, ...]
    no_session: tuple[str, ...]
    group_from_screening: tuple[str, ...]
    not_by_date: tuple[str, ...]
    far: int
    midpoint: int
    labels: dict[str, VisitLabels]


class AdniImages(Config):
    """Patterns (regular expressions) of names, and what the choice among images depends on."""

    person: str
    replaced: str
    t1w: str
    processed: str
    endings: tuple[str, ...]
    cut: str
    original: str
    accelerated: str
    accelerated_protocols: tuple[str, ...]
    low_field_protocols: tuple[str, ...]
    repeat: str
    t1w_quality_types: tuple[str, ...]
    failed_quality: int
    quality_not_done: int


class AdniMap(Config):
    """All that is particular to ADNI."""

    tables: AdniTables
    values: AdniValues
    visits: AdniVisits
    images: AdniImages
    exceptions: tuple[tuple[str, str], ...]


class AiblTables(Config):
    """Tables of AIBL."""

    scans: tuple[TableMap, ...]
    demographics: TableMap
    diagnoses: TableMap
    mmse: TableMap
    dates: tuple[TableMap, ...]


class AiblValues(Config):
    """Values of AIBL's tables."""

    missing: tuple[str, ...]
    sex: dict[str, str]
    diagnosis: dict[str, str]
    baseline: tuple[str, ...]


class AiblImages(Config):
    """Names of AIBL's folders."""

    person: str
    ignored_people: tuple[str, ...]
    t1w: str
    dated: tuple[str, ...]
    undated: tuple[str, ...]
    undated_visit: str
    undated_exceptions: dict[str, str]


class AiblMap(Config):
    """All that is particular to AIBL."""

    tables: AiblTables
    values: AiblValues
    images: AiblImages


class OasisValues(Config):
    """Values of OASIS-1's table."""

    missing: tuple[str, ...]
    sex: dict[str, str]


class OasisImages(Config):
    """Names of OASIS-1's folders."""

    session: str
    first: str
    folder: str


class OasisMap(Config):
    """All that is particular to OASIS-1."""

    table: TableMap
    values: OasisValues
    images: OasisImages


AnyMap = TypeVar("AnyMap", AdniMap, AiblMap, OasisMap)


@cache
def read_field_map(kind: type[AnyMap], name: str) -> AnyMap:
    """Read the map field_maps/<name>.yml; raise `ConfigurationError` naming the key that cannot be used."""
    text = (resources.files(__package__) / "field_maps" / f"{name}.yml").read_text(encoding="utf-8")
    return kind.read(yaml.safe_load(text), f"field_maps/{name}.yml")


@cache
def known_diagnoses() -> frozenset[str]:
    """Give our own words for diagnoses, to which those of the archives are translated."""
    maps = (read_field_map(AdniMap, "adni").values.diagnosis, read_field_map(AiblMap, "aibl").values.diagnosis)
    return frozenset(word for one in maps for word in one.values())
