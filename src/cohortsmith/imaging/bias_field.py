"""Slow intensity drift of the receive coil, estimated by N4 on a coarse copy.

Source: Tustison et al. (2010), N4ITK: improved N3 bias correction.
"""

import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from cohortsmith.config.preparation import BiasFieldConfig
from cohortsmith.imaging.ants_door import from_ants, load_ants, to_ants
from cohortsmith.imaging.grid import coarsen, grid_of, resample
from cohortsmith.imaging.intensity import foreground
from cohortsmith.imaging.volume import Volume


def correct_bias(volume: Volume, config: BiasFieldConfig) -> tuple[Volume, Volume]:
    """Divide a scan by its bias field; give the corrected scan and the field (median 1 over the tissue).

    The field is estimated on a copy of about `config.resolution` mm, in tissue only, and carried to the scan's own
    grid: it is smoother than that copy, and N4 pads what it is given to whole multiples of its spline spacing.
    """
    log_field = _coarse_log_field(coarsen(volume, config.resolution), config)
    field = np.exp(_on_full_grid(log_field, volume))
    return Volume(volume.data / field, volume.affine), Volume(field, volume.affine)


def _coarse_log_field(copy: Volume, config: BiasFieldConfig) -> Volume:
    tissue = foreground(copy.data)
    positive = Volume(np.where(tissue, copy.data - min(float(copy.data.min()), 0.0), 0), copy.affine)
    field = load_ants().n4_bias_field_correction(
        to_ants(positive),
        mask=to_ants(Volume(tissue.astype(np.float32), copy.affine)),
        shrink_factor=1,
        convergence={"iters": list(config.iterations), "tol": config.tolerance},
        spline_param=mesh(copy, config.spline_spacing),
        return_bias_field=True,
    )
    log_field = np.log(np.maximum(from_ants(field, grid_of(copy)).data, 1e-3))
    return Volume(log_field - np.median(log_field[tissue]), copy.affine)


def mesh(volume: Volume, spacing: float) -> list[int]:
    """Give the spline spans per axis at the coarsest level, whole numbers nearest to `spacing` mm.

    Given a spacing instead, N4 pads the image with zeros to whole multiples of it: gigabytes for a large scan.
    """
    extent = np.array(volume.data.shape) * voxel_sizes(volume.affine)
    return [max(1, int(n)) for n in np.rint(extent / spacing)]


def _on_full_grid(log_field: Volume, volume: Volume) -> NDArray[np.float32]:
    # One voxel more on each side: the coarse grid's centres end half a cell before the scan does.
    origin = log_field.affine.copy()
    origin[:3, 3] -= origin[:3, :3].sum(axis=1)
    wider = Volume(np.pad(log_field.data, 1, mode="edge"), origin)
    return resample(wider, np.eye(4), grid_of(volume)).data
