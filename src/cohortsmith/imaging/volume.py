"""A scan on its grid, and the only way in and out of NIfTI."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from cohortsmith.errors import ScanRejected
from cohortsmith.imaging.atomic_write import write_bytes

# All that nibabel raises on files that are not what their headers say.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, struct.error),
    *(zlib.error, MemoryError, ImageFileError, HeaderDataError),
)
# 1 GiB as float32; a head at 0.4 mm has a quarter of this. Headers may claim any size.
_MOST_VOXELS = 1 << 28
_SMALLEST_VOXEL, _LARGEST_VOXEL = 1e-3, 1e3  # mm
_SPARE = 1 << 20  # bytes that may follow the voxels


class Volume(NamedTuple):
    """Voxels and where they are.

    data:   (X, Y, Z) float32 intensities
    affine: (4, 4) voxel index -> world mm, RAS+
    """

    data: NDArray[np.float32]
    affine: NDArray[np.float64]


def read_volume(path: Path | str, key: str, minimum_slices: int = 16) -> Volume:
    """Read a NIfTI file in its closest canonical (RAS+) orientation; voxel values and geometry are kept.

    key: BIDS key that names the scan in messages. minimum_slices: along every axis (1 for 2-D images).
    Raises `ScanRejected` for a file, a grid or voxels that no later step could use.
    """
    data, affine = read_voxels(Path(path), key, "a whole NIfTI file (.nii or .nii.gz) of real numbers")
    check_grid(data.shape, affine, key, minimum_slices)
    check_voxels(data, key)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(data, affine))
    return Volume(np.ascontiguousarray(canonical.dataobj, dtype=np.float32), np.array(canonical.affine, dtype=float))


def read_voxels(path: Path, key: str, expected: str) -> Volume:
    """Read voxels and affine as they are; raise `ScanRejected`, saying what was expected, if the file is damaged."""
    try:
        if not all(part.is_file() for part in _parts(path)):
            raise OSError("a pipe or a device never ends")
        image = nib.load(path)
        _verify_size(path, image)
        with np.errstate(over="ignore", invalid="ignore"):  # overflow to inf is refused by check_voxels
            data = np.asarray(image.dataobj).astype(np.float32)
        return Volume(_without_trailing_singletons(data), np.array(image.affine, dtype=float))
    except _UNREADABLE as error:
        # The message of nibabel may carry the raw path: only the kind of error goes on.
        raise ScanRejected(
            "scan cannot be read",
            where=key,
            got=type(error).__name__,
            expected=expected,
            remedy="copy or convert the scan again; the file may be truncated",
        ) from None


def _parts(path: Path) -> list[Path]:
    """List the files that are opened with an image: the two halves of a pair, and what SPM lays beside it."""
    beside = [path.with_suffix(suffix) for suffix in (".hdr", ".mat") if path.suffix == ".img"]
    return [path, *(part for part in beside if part.exists())]


def _verify_size(path: Path, image: Any) -> None:
    """Raise `ValueError` before memory is taken for voxels that are too many, or not there."""
    count = math.prod(image.shape)
    if not 0 < count <= _MOST_VOXELS:
        raise ValueError("the header claims too many voxels, or none")
    # nibabel stops before the checksum at a compressed file's end: damage would pass as voxels.
    if path.suffix == ".gz":
        _verify_compressed(path, image.dataobj.offset + count * image.header.get_data_dtype().itemsize)


def _verify_compressed(path: Path, expected: int) -> None:
    size = 0
    with gzip.open(path) as content:
        while size <= expected + _SPARE and (part := content.read(1 << 22)):
            size += len(part)
    if not expected <= size <= expected + _SPARE:
        raise ValueError("the file does not hold the voxels that its header claims")


def _without_trailing_singletons(data: NDArray[np.float32]) -> NDArray[np.float32]:
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    return data


def check_grid(shape: tuple[int, ...], affine: NDArray[np.float64], key: str, minimum_slices: int) -> None:
    """Refuse a grid that is not 3-D, has too few slices or a singular affine (`ScanRejected`)."""
    if len(shape) != 3:
        raise ScanRejected(
            "scan is not a single 3-D volume",
            where=key,
            got=f"{len(shape)} dimensions, {' x '.join(map(str, shape))}",
            expected="3 dimensions",
            remedy="give one volume per file; a time series or multi-echo file is not a T1w scan",
        )
    if min(shape) < minimum_slices:
        raise ScanRejected(
            "scan has too few slices",
            where=key,
            got=" x ".join(map(str, shape)),
            expected=f"at least {minimum_slices} voxels along every axis",
            remedy="give the whole 3-D acquisition, not a localizer or an excerpt",
        )
    if _is_singular(affine):
        raise ScanRejected(
            "scan has no usable geometry",
            where=key,
            got="an affine that is singular, not finite, or of voxels below 0.001 mm or above 1000 mm",
            expected="an invertible voxel-to-world matrix in mm",
            remedy="convert the scan again from DICOM",
        )


def _is_singular(affine: NDArray[np.float64]) -> bool:
    if not np.isfinite(affine).all():
        return True
    with np.errstate(over="ignore"):
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if not ((sizes > _SMALLEST_VOXEL) & (sizes < _LARGEST_VOXEL)).all():
        return True
    # Two axes may have a determinant, and be one all the same.
    return bool(abs(np.linalg.det(affine[:3, :3])) < 1e-6 or np.isnan(nib.io_orientation(affine)).any())


def check_voxels(data: NDArray[np.float32], key: str) -> None:
    """Refuse voxels that are not finite, or all equal (`ScanRejected`)."""
    finite = np.isfinite(data)
    if not finite.all():
        raise ScanRejected(
            "scan has voxels that are not numbers",
            where=key,
            got=f"{int((~finite).sum())} NaN or infinite voxels",
            expected="finite intensities everywhere",
            remedy="export the scan again, with zero outside the field of view",
        )
    if data.min() == data.max():
        raise ScanRejected(
            "scan is constant",
            where=key,
            got=f"{float(data.min()):g} everywhere",
            expected="an image of a head",
            remedy="check the export of this scan",
        )


def write_volume(path: Path, volume: Volume, description: str) -> None:
    """Write NIfTI-1 atomically: sform and qform, mm, `descrip` (at most 79 bytes), the smallest lossless type.

    The same volume always gives the same bytes.
    """
    write_bytes(path, nifti_bytes(volume, description, compressed=path.suffix == ".gz"))


def nifti_bytes(volume: Volume, description: str, *, compressed: bool = True) -> bytes:
    """Give the content of the file that `write_volume` writes."""
    image = nib.Nifti1Image(volume.data.astype(_lossless_type(volume.data)), volume.affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode()[:79]
    image.set_sform(volume.affine, code="scanner")
    image.set_qform(volume.affine, code="scanner")
    content = bytes(image.to_bytes())
    return gzip.compress(content, compresslevel=4, mtime=0) if compressed else content


def _lossless_type(data: NDArray[np.float32]) -> type[np.generic]:
    fits = data.min() >= -32768 and data.max() <= 32767
    return np.int16 if fits and np.array_equal(data, np.rint(data)) else np.float32
