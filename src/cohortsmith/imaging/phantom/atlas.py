"""The template head: tissue maps of the brain from the ICBM 152 templates, with a synthesised head around it.

Source of the brain: ICBM 152 nonlinear symmetric 2009a T1, grey- and white-matter maps (Fonov et al., 2011), as
shipped inside nilearn. Template coordinates are MNI world mm, RAS+.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from nilearn import datasets
from numpy.typing import NDArray
from scipy import ndimage

from cohortsmith.imaging.phantom.head import head_around

Array = NDArray[np.floating]

# Voxels added to the 1 mm ICBM grid so that a face and a neck find room, and every side is even.
PADDING = ((0, 1), (0, 15), (54, 1))


class Atlas(NamedTuple):
    """Maps of the template head on one grid.

    maps:       tissue name -> (X, Y, Z) fraction of the voxel; "texture" is the T1 signal no tissue explains,
                in units of the white-grey difference
    affine:     (4, 4) voxel index -> template mm
    resolution: voxel size, mm
    """

    maps: dict[str, Array]
    affine: NDArray[np.float64]
    resolution: int


@lru_cache(maxsize=2)
def load_atlas(resolution: int) -> Atlas:
    """Build the template head at 1 or 2 mm; kept for the life of the process."""
    brain = {name: _block_mean(image, resolution) for name, image in _brain_maps(*_icbm_images()).items()}
    maps = brain | _head_maps(brain, resolution)
    maps["csf"] = np.maximum(brain["csf"], maps.pop("subarachnoid"))
    maps = {name: image.astype(np.float16) for name, image in maps.items()}
    return Atlas(maps, _affine(resolution), resolution)


def _head_maps(brain: dict[str, Array], resolution: int) -> dict[str, Array]:
    """Synthesise the head at 2 mm, whatever the resolution, so that it is the same one."""
    whole = _block_mean(brain["csf"] + brain["grey"] + brain["white"], 2 // resolution)
    layers = head_around(whole > 0.5, _affine(2))
    enlarge = 2 // resolution
    return {
        name: ndimage.zoom(layer, enlarge, order=1, mode="nearest", grid_mode=True) if enlarge > 1 else layer
        for name, layer in layers.items()
    }


def _icbm_images() -> list[Array]:
    loaders = (datasets.load_mni152_template, datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    return [np.pad(load(resolution=1).get_fdata(dtype=np.float32), PADDING) for load in loaders]


def _affine(resolution: int) -> NDArray[np.float64]:
    """Place a grid of 1 mm blocks averaged by `resolution`: the corner of the padded ICBM grid stays put."""
    affine = np.diag([resolution, resolution, resolution, 1.0])
    affine[:3, 3] = np.array([-98.0, -134.0, -72.0 - PADDING[2][0]]) + (resolution - 1) / 2
    return affine


def _block_mean(image: Array, size: int) -> Array:
    x, y, z = (side // size for side in image.shape)
    blocks = image.reshape(x, size, y, size, z, size)
    return np.asarray(blocks.mean(axis=(1, 3, 5), dtype=np.float32))


def _brain_maps(t1: Array, grey: Array, white: Array) -> dict[str, Array]:
    """Split the brain at 1 mm, where tissues are purest, so that coarser maps are averages of finer ones."""
    inside = t1 > 0
    csf = np.clip(1 - grey - white, 0, 1) * inside
    tissues = np.stack([csf, grey, white])
    means = np.linalg.lstsq(tissues[:, inside].T, t1[inside], rcond=None)[0]
    unexplained = (t1 - np.tensordot(means, tissues, axes=1)) * inside
    return {"csf": csf, "grey": grey, "white": white, "texture": unexplained / (means[2] - means[1])}
