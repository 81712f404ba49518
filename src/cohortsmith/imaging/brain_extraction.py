"""Which voxels are brain: the network of deepbet (Fisch et al. 2024), whose weights come with its wheel."""

import warnings

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from cohortsmith.errors import ScanRejected
from cohortsmith.imaging.volume import Volume

# ml; brains of adults with the fluid around them have 1000 to 1900: beyond these it found something else.
_PLAUSIBLE = (600.0, 2500.0)


def extract_brain(volume: Volume, key: str = "") -> Volume:
    """Set everything that is not brain (or the fluid around it) to zero.

    Raises `ScanRejected`, where=key, if what is found cannot be an adult's brain.
    """
    inside = find_brain(volume, key)
    return Volume(np.where(inside, volume.data, np.float32(0)), volume.affine)


def find_brain(volume: Volume, key: str = "") -> NDArray[np.bool_]:
    """Mark the voxels (X, Y, Z) of the brain.

    Raises `ScanRejected`, where=key, if there are implausibly few or many of them.
    """
    inside = _network_mask(volume)
    millilitres = float(inside.sum()) * float(np.prod(voxel_sizes(volume.affine))) / 1000
    if not _PLAUSIBLE[0] <= millilitres <= _PLAUSIBLE[1]:
        raise ScanRejected(
            "the brain was not found in the scan",
            where=key,
            got=f"{millilitres:.0f} ml",
            expected=f"{_PLAUSIBLE[0]:.0f} to {_PLAUSIBLE[1]:.0f} ml",
            remedy="look at the scan: coverage, orientation, contrast; or set preparation.brain_extraction: false",
        )
    return inside


def _network_mask(volume: Volume) -> NDArray[np.bool_]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its loader, about the format of its own weights
        from deepbet import BrainExtraction  # noqa: PLC0415 - an extra, and slow to import

        network = BrainExtraction(no_gpu=True)
        image = nib.Nifti1Image(volume.data, volume.affine)
        try:
            _, mask, _ = network.run(image)
        except (AssertionError, ValueError):  # it found nothing at all
            return np.zeros(volume.data.shape, dtype=np.bool_)
    # It answers in the closest canonical orientation, which every `Volume` has already.
    return np.asarray(mask.dataobj) > 0.5
