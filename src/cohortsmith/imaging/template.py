"""The MNI152 template, shipped by nilearn or the user's own, and the box of it that the model sees."""

import hashlib
from functools import lru_cache
from importlib import resources
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nilearn.datasets import load_mni152_template
from scipy import ndimage

from cohortsmith.config.preparation import SHIPPED_SPACE as SPACE
from cohortsmith.config.preparation import TemplateConfig
from cohortsmith.imaging.grid import Grid, resample
from cohortsmith.imaging.intensity import min_max
from cohortsmith.imaging.volume import Volume

_SHIPPED = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
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
def template(resolution: float, path: str = "") -> Volume:
    """Give the T1w template on the crop box, intensities in [0, 1], smoothed where coarser than its own voxels.

    path: of the user's template (whole head, as a rule); nothing means the skull-stripped one that nilearn ships.
    """
    image = nib.as_closest_canonical(nib.load(path)) if path else load_mni152_template(resolution=1)
    data = np.asarray(image.dataobj, dtype=np.float32)
    # A Gaussian of the target voxel's width (FWHM) keeps the coarse template free of aliasing.
    voxel = float(voxel_sizes(image.affine).max())
    sigma = np.sqrt(max(resolution**2 - voxel**2, 0)) / voxel / np.sqrt(8 * np.log(2))
    data = ndimage.gaussian_filter(min_max(data) if path else data, sigma, truncate=3)
    return resample(Volume(data, np.array(image.affine)), np.eye(4), crop_grid(resolution))


@lru_cache(maxsize=8)
def brain_mask(resolution: float, dilation: float = 0.0) -> Volume:
    """Give the brain of the template that nilearn ships as 0 / 1 on the crop box, grown by `dilation` mm.

    It serves every MNI152 template: they share the space, if not each sulcus.
    """
    inside = ndimage.binary_fill_holes(template(resolution).data > _BRAIN_THRESHOLD)
    if dilation > 0:
        inside = ndimage.distance_transform_edt(~inside, sampling=resolution) <= dilation
    return Volume(inside.astype(np.float32), crop_grid(resolution).affine)


@lru_cache(maxsize=2)
def template_identity(config: TemplateConfig) -> dict[str, str]:
    """Give the template's BIDS name, file name and SHA-256 of the file's content."""
    if config.path:
        content, name = Path(config.path).read_bytes(), Path(config.path).name
    else:
        content, name = (resources.files("nilearn.datasets") / "data" / _SHIPPED).read_bytes(), _SHIPPED
    space = config.space if config.path else SPACE
    return {"Name": space, "File": name, "SHA256": hashlib.sha256(content).hexdigest()}
