"""A volume as the classic DICOM series that a scanner sends: one file per slice."""

import io
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from cohortsmith.imaging.phantom.delivery.files import Files, whole_numbers
from cohortsmith.imaging.volume import Volume

RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


class Series(NamedTuple):
    """Header of one series.

    patient:    invented identifier, also the name. born: YYYYMMDD
    moment:     when the study began
    number:     of the series in its study
    echo_time, repetition_time: ms
    contrast:   agent, empty if none was given
    """

    patient: str
    moment: datetime
    number: int
    description: str
    born: str = "19000101"
    echo_time: float = 3.0
    repetition_time: float = 2300.0
    field_strength: float = 3.0
    acquisition: str = "3D"
    contrast: str = ""

    def study_uid(self) -> str:
        """Give the same identifier to every series of a patient's study."""
        return str(generate_uid(entropy_srcs=[self.patient, f"{self.moment:%Y%m%d%H%M}"]))

    def series_uid(self) -> str:
        """Give an identifier that only this series has."""
        return str(generate_uid(entropy_srcs=[self.study_uid(), str(self.number), self.description]))


def series_files(series: Series, volume: Volume) -> list[bytes]:
    """Give one DICOM file per slice of the volume's third axis.

    The affine's axes must be perpendicular to each other; they may be oblique and run either way.
    """
    return [_slice_file(series, volume, index) for index in range(volume.data.shape[2])]


def flat_tree(patients: list[list[tuple[Series, Volume]]], rng: np.random.Generator) -> Files:
    """Export studies as a PACS does: one folder per study, every series' files among each other without any order."""
    files: Files = {}
    for number, study in enumerate(patients, 1):
        contents = [content for series, volume in study for content in series_files(series, volume)]
        places = rng.permutation(len(contents))
        files |= {f"DICOM/ST{number:06d}/IM{place:06d}": contents[index] for index, place in enumerate(places)}
    return files


def _slice_file(series: Series, volume: Volume, index: int) -> bytes:
    file = FileDataset("", _identity(series, index), file_meta=_meta(), preamble=b"\0" * 128)
    _set_person(file, series)
    _set_physics(file, series)
    _set_geometry(file, volume.affine, index)
    _set_pixels(file, whole_numbers(volume.data[:, :, index]).T)
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID
    content = io.BytesIO()
    file.save_as(content, enforce_file_format=True)
    return content.getvalue()


def _meta() -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta


def _identity(series: Series, index: int) -> Dataset:
    identity = Dataset()
    identity.SOPClassUID = MRImageStorage
    identity.SOPInstanceUID = generate_uid(entropy_srcs=[series.series_uid(), str(index)])
    identity.StudyInstanceUID = series.study_uid()
    identity.SeriesInstanceUID = series.series_uid()
    identity.FrameOfReferenceUID = generate_uid(entropy_srcs=[series.study_uid(), "frame"])
    identity.SeriesNumber = series.number
    identity.AcquisitionNumber = 1
    identity.InstanceNumber = index + 1
    return identity


def _set_person(file: Dataset, series: Series) -> None:
    file.PatientID = series.patient
    file.PatientName = f"Phantom^{series.patient}"
    file.PatientBirthDate = series.born
    file.StudyDate = file.SeriesDate = f"{series.moment:%Y%m%d}"
    file.StudyTime = f"{series.moment:%H%M%S}"
    file.SeriesTime = f"{series.moment.replace(minute=series.number % 60):%H%M%S}"


def _set_physics(file: Dataset, series: Series) -> None:
    file.Modality = "MR"
    file.Manufacturer = "cohortsmith phantom"
    file.ImageType = ["ORIGINAL", "PRIMARY", "M", "NORM"]
    file.SeriesDescription = file.ProtocolName = series.description
    file.ScanningSequence, file.SequenceVariant = "GR", "MP"
    file.MRAcquisitionType = series.acquisition
    file.MagneticFieldStrength = series.field_strength
    file.EchoTime, file.RepetitionTime = series.echo_time, series.repetition_time
    if series.contrast:
        file.ContrastBolusAgent = series.contrast


def _set_geometry(file: Dataset, affine: NDArray[np.float64], index: int) -> None:
    """Write where a slice lies; patient coordinates run to the left and to the back (DICOM PS3.3 C.7.6.2.1.1)."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    directions = RAS_TO_LPS[:, None] * affine[:3, :3] / spacing
    corner = RAS_TO_LPS * (affine[:3, 3] + affine[:3, 2] * index)
    file.PatientPosition = "HFS"
    file.ImageOrientationPatient = _decimals([*directions[:, 0], *directions[:, 1]])
    file.ImagePositionPatient = _decimals(corner)
    file.PixelSpacing = _decimals([spacing[1], spacing[0]])  # between rows, between columns
    file.SliceThickness = file.SpacingBetweenSlices = _decimals([spacing[2]])[0]


def _decimals(values: NDArray[np.float64] | list[float]) -> list[str]:
    return [format_number_as_ds(float(value)) for value in values]


def _set_pixels(file: Dataset, pixels: NDArray[np.int16]) -> None:
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 0
    file.PixelData = np.ascontiguousarray(pixels).tobytes()
