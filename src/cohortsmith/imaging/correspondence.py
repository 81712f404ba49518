"""The affine nearest to a dense correspondence of scan and template.

The mutual information of an affine alignment follows the edges of a brain that is bent, and no affine fits them all. A
dense smooth map puts each part of the brain in its place; the affine nearest to that map in least squares lies nearer
to the truth (docs/preparation.md).
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cohortsmith.config.preparation import CorrespondenceConfig
from cohortsmith.imaging.ants_door import FLIP, load_ants, to_ants
from cohortsmith.imaging.grid import coarsen, grid_of, lies_within, resample
from cohortsmith.imaging.intensity import winsorise
from cohortsmith.imaging.template import brain_mask, template
from cohortsmith.imaging.volume import Volume

Matrix = NDArray[np.float64]
Points = NDArray[np.float64]
# An affine extrapolates badly from less of the brain than this.
_LEAST_SEEN = 0.25


def refine(
    volume: Volume, start: Matrix, config: CorrespondenceConfig, kind: str = "affine", template_path: str = ""
) -> Matrix:
    """Give the affine (or rigid) matrix nearest to the dense map that goes on from `start`; (4, 4), scan -> template.

    The map and the fit see the brain in view, less a margin as wide as the window of the correlation. Gives `start`
    if less than a quarter of the brain remains.
    """
    fixed = template(config.resolution, template_path)
    brain = brain_mask(config.resolution).data > 0
    seen = brain & _in_view(volume, start, fixed, (config.radius + 0.5) * config.resolution)
    if seen.sum() < _LEAST_SEEN * brain.sum():
        return start
    moved = resample(coarsen(volume, config.resolution / 2), start, grid_of(fixed))
    shifts = dense_map(fixed, Volume(winsorise(moved.data), moved.affine), seen, config)
    places = apply_affine(fixed.affine, np.argwhere(seen))
    fit = fit_affine if kind == "affine" else fit_rigid
    return np.asarray(fit(places + shifts[seen], places) @ start)


def fit_affine(points: Points, places: Points) -> Matrix:
    """Give the (4, 4) affine that takes `points` nearest to `places`, both (n, 3) mm, in least squares."""
    matrix = np.eye(4)
    matrix[:3] = np.linalg.lstsq(np.c_[points, np.ones(len(points))], places, rcond=None)[0].T
    return matrix


def fit_rigid(points: Points, places: Points) -> Matrix:
    """Give the (4, 4) rotation and shift that take `points` nearest to `places`, both (n, 3) mm (Kabsch 1976)."""
    matrix = np.eye(4)
    middle, goal = points.mean(axis=0), places.mean(axis=0)
    matrix[:3, :3] = Rotation.align_vectors(places - goal, points - middle)[0].as_matrix()
    matrix[:3, 3] = goal - matrix[:3, :3] @ middle
    return matrix


def dense_map(
    fixed: Volume, moving: Volume, mask: NDArray[np.bool_], config: CorrespondenceConfig
) -> NDArray[np.float64]:
    """Give how far (mm, RAS+) each voxel of `fixed`, (X, Y, Z, 3), lies from its like in `moving`, on the same grid.

    Symmetric normalisation by local correlation (SyN, Avants et al. 2008), as ANTs has it; mask: where it is measured.
    """
    ants = load_ants()
    # The images must outlive the call: a pointer does not keep them.
    inside = to_ants(Volume(mask.astype(np.float32), fixed.affine)) != 0
    images = [to_ants(fixed).clone("double"), to_ants(moving).clone("double"), inside]
    pointers = [ants.internal.get_pointer_string(image) for image in images]
    with TemporaryDirectory() as folder:
        ants.registration(_arguments(pointers, config, Path(folder) / "map"), None)
        warp = np.asarray(nib.load(Path(folder) / "map0Warp.nii.gz").dataobj, dtype=float)
    return np.asarray(warp.squeeze() * np.diag(FLIP)[:3])


def _arguments(pointers: list[str], config: CorrespondenceConfig, output: Path) -> list[str]:
    fixed, moving, mask = pointers
    # Step 0.2, tolerance 1e-7 over 8 iterations and the smoothing of the levels are ANTsPy's defaults for SyNOnly.
    levels = range(len(config.iterations) - 1, -1, -1)
    return [
        *("--dimensionality", "3", "--float", "0"),
        *("--masks", f"[{mask},NA]"),
        *("--output", str(output)),
        *("--transform", f"SyN[0.2,{config.update_smoothing:g},0]"),
        *("--metric", f"CC[{fixed},{moving},1,{config.radius}]"),
        *("--convergence", f"[{'x'.join(map(str, config.iterations))},1e-7,8]"),
        *("--shrink-factors", "x".join(str(2**level) for level in levels)),
        *("--smoothing-sigmas", "x".join(str(level) for level in levels) + "vox"),
    ]


def _in_view(volume: Volume, transform: Matrix, fixed: Volume, margin: float) -> NDArray[np.bool_]:
    """Say which voxels of the template lie in the scan's field of view, by more than `margin` mm from its faces."""
    to_scan = np.linalg.inv(transform @ volume.affine) @ fixed.affine
    index = apply_affine(to_scan, np.argwhere(np.ones(fixed.data.shape, dtype=bool)))
    return lies_within(index, volume.data.shape, margin / voxel_sizes(volume.affine)).reshape(fixed.data.shape)
