"""The one place that knows which reader belongs to which kind of source."""

from pathlib import Path

from cohortsmith.config.study import StudyConfig
from cohortsmith.imaging.sources import bids, dicom, dicom_conversion, nifti, slices
from cohortsmith.imaging.sources.inventory import Converted, Inventory, Visit

# The phantom is delivered as NIfTI files and a clinical table.
_READERS = {
    "phantom": nifti.read_inventory,
    "nifti": nifti.read_inventory,
    "bids": bids.read_inventory,
    "slices": slices.read_inventory,
    "dicom": dicom.read_inventory,
}


def read_source(study: StudyConfig, external: bool = False) -> Inventory:
    """List visits and rejections of a study, or of its external cohort.

    Raises `ConfigurationError` or `StudyError` if it cannot be used at all.
    """
    return _READERS[study.source](_external(study) if external else study)


def _external(study: StudyConfig) -> StudyConfig:
    source = study.external_source or study.source
    return study.model_copy(update={"source": source, "path": study.external_path, "table": study.external_table})


def convert_visit(visit: Visit) -> Converted:
    """Read one visit's scan in canonical orientation, voxels and geometry kept.

    Raises `ScanRejected` naming the visit's key.
    """
    if visit.series:
        return dicom_conversion.convert(visit)
    is_image = Path(visit.source).suffix.lower() in slices.SUFFIXES
    return slices.convert(visit) if is_image else nifti.convert(visit)
