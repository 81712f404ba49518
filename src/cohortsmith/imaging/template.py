"""The MNI152 template that nilearn ships, and the box of it that the model sees."""

from functools import lru_cache

import numpy as np
from nilearn.datasets import load_mni152_template
from scipy import ndimage

from cohortsmith.imaging.grid import Grid, resample
from cohortsmith.imaging.volume import Volume

# BIDS name of the template: ICBM 2009a non-linear symmetric, skull-stripped.
SPACE = "MNI152NLin2009aSym"
# Box of Chadebec et al. (2022), section 1.5, as cut by Clinica's t1-linear: 169 x 208 x 179 voxels of 1 mm, the first
# centred at (-84, -119, -78) mm.
_BOX_SHAPE = np.array([169, 208, 179])
_BOX_CORNER = np.array([-84.5, -119.5, -78.5])
# nilearn.datasets.load_mni152_brain_mask uses the same threshold on the same image.
_BRAIN_THRESHOLD = 0.2


def crop_grid(resolution: float) -> Grid:
    """Give the paper's crop box on voxels of `resolution` mm: ceil(n / resolution) of them from the same corner."""
    nx, ny, nz = (int(n) for n in np.ceil(_BOX_SHAPE / resolution - 1e-9))
    affine = np.diag([resolution, resolution, resolution, 1.0])
    affine[:3, 3] = _BOX_CORNER + resolution / 2
    return Grid((nx, ny, nz), affine)


@lru_cache(maxsize=4)
def template(resolution: float) -> Volume:
    """Give the skull-stripped T1w template on the crop box, intensities in [0, 1], smoothed where coarser than 1 mm."""
    image = load_mni152_template(resolution=1)
    # A Gaussian of the target voxel's width (FWHM) keeps the coarse template free of aliasing.
    sigma = np.sqrt(max(resolution**2 - 1, 0)) / np.sqrt(8 * np.log(2))
    data = ndimage.gaussian_filter(np.asarray(image.dataobj, dtype=np.float32), sigma, truncate=3)
    return resample(Volume(data, np.array(image.affine)), np.eye(4), crop_grid(resolution))


@lru_cache(maxsize=8)
def brain_mask(resolution: float, dilation: float = 0.0) -> Volume:
    """Give the template's brain as 0 / 1 on the crop box, grown by `dilation` mm."""
    inside = ndimage.binary_fill_holes(template(resolution).data > _BRAIN_THRESHOLD)
    if dilation > 0:
        inside = ndimage.distance_transform_edt(~inside, sampling=resolution) <= dilation
    return Volume(inside.astype(np.float32), crop_grid(resolution).affine)
