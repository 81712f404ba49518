"""The one place that knows which reader belongs to which kind of source."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import CohortsmithError
from cohortsmith.imaging.sources import (
    adni,
    aibl,
    bids,
    dicom,
    dicom_conversion,
    nifti,
    oasis1,
    oasis1_orientation,
    slices,
)
from cohortsmith.imaging.sources.inventory import Converted, Inventory, Visit
from cohortsmith.imaging.sources.work import Work, one_by_one

_READERS: dict[str, Callable[[StudyConfig, Work], Inventory]] = {
    "nifti": lambda study, _: nifti.read_inventory(study),
    "bids": lambda study, _: bids.read_inventory(study),
    "slices": lambda study, _: slices.read_inventory(study),
    "dicom": dicom.read_inventory,
    "adni": lambda study, _: adni.read_inventory(study),
    "aibl": lambda study, _: aibl.read_inventory(study),
    "oasis1": lambda study, _: oasis1.read_inventory(study),
}


def read_source(study: StudyConfig, external: bool = False, work: Work = one_by_one) -> Inventory:
    """List every candidate scan of a study, or of its external cohort, as a visit or a rejection.

    work: how many small jobs are done, for readers that have them.
    Raises `ConfigurationError` or `StudyError` if the study cannot be used at all.
    """
    own = study_of(study, external=external)
    with _naming_external() if external else nullcontext():
        return _READERS[own.source](own, work)


def study_of(study: StudyConfig, *, external: bool) -> StudyConfig:
    """Give the study as its reader sees it; the external one takes the place of the training study."""
    if not external:
        return study
    source = study.external_source or study.source
    return study.model_copy(update={"source": source, "path": study.external_path, "table": study.external_table})


@contextmanager
def _naming_external() -> Iterator[None]:
    """Let an error of the external study name the keys of the configuration that are its own."""
    try:
        yield
    except CohortsmithError as error:
        for key in ("path", "table"):
            error.where = error.where.replace(f"study.{key}", f"study.external_{key}")
            error.remedy = error.remedy.replace(f"study.{key}", f"study.external_{key}")
        raise


def has_labels(study: StudyConfig, *, external: bool) -> bool:
    """Say whether the source knows diagnoses: all but DICOM files without a table do."""
    own = study_of(study, external=external)
    return own.source != "dicom" or bool(own.table)


def convert_visit(visit: Visit) -> Converted:
    """Read one visit's scan in canonical orientation, voxels and geometry kept.

    Raises `ScanRejected` naming the visit's key.
    """
    place = Path(visit.source)
    if visit.orientation == "oasis1":
        return oasis1_orientation.convert(visit)
    if visit.series or place.is_dir():
        return dicom_conversion.convert(visit)
    return slices.convert(visit) if place.suffix.lower() in slices.SUFFIXES else nifti.convert(visit)
