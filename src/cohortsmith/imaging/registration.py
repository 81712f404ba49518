"""Rigid, then affine, alignment of a scan to the template by mutual information, from several starts; then refined.

Metric and stages follow antsRegistrationSyNQuick.sh -t a, as used by Clinica's t1-linear (see Chadebec et al. 2022,
section 1.5). The metric looks only around the brain, because the template has none of the rest of the head; the stages
are coarse, because the dense map that follows ends in the same place after fine ones (docs/preparation.md).
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cohortsmith.config.preparation import RegistrationConfig
from cohortsmith.errors import ScanRejected
from cohortsmith.imaging.ants_door import load_ants, matrix_from_itk, matrix_to_itk, orthogonal_affine, to_ants
from cohortsmith.imaging.correspondence import refine
from cohortsmith.imaging.grid import coarsen, grid_of, resample
from cohortsmith.imaging.intensity import winsorise
from cohortsmith.imaging.starts import starts
from cohortsmith.imaging.template import brain_mask, template
from cohortsmith.imaging.volume import Volume

Matrix = NDArray[np.float64]
# Enough to tell a good start from a bad one, in a tenth of a second.
_QUICK = {
    "template_resolution": 8.0,
    "iterations": (30,),
    "shrink_factors": (1,),
    "smoothing_sigmas": (4.0,),
    "sampling_fraction": 1.0,
}
_BINS = 32


def register(volume: Volume, config: RegistrationConfig, key: str = "", template_path: str = "") -> Matrix:
    """Give the (4, 4) matrix from the scan's world to the template's, mm, RAS+.

    template_path: of the user's template; nothing means the one nilearn ships.
    Raises `ScanRejected`, where=key, if ANTs finds no overlap to work on.
    """
    # Twice as fine: points of the template fall between the scan's voxels, and interpolating coarse ones blurs.
    copy = coarsen(volume, config.template_resolution / 2)
    moving = Volume(winsorise(copy.data), copy.affine)
    fine = config.correspondence
    stage = "Affine" if config.transform == "affine" else "Rigid"
    try:
        found = run_stage(moving, best_start(moving, config, template_path), stage, config, template_path)
        return found if fine is None else refine(volume, found, fine, config.transform, template_path)
    except RuntimeError:
        raise ScanRejected(
            "scan cannot be registered to the template",
            where=key,
            got="ANTs stopped with an error",
            expected="a T1-weighted head that overlaps the template",
            remedy="look at the scan: coverage, orientation, contrast",
        ) from None


def best_start(moving: Volume, config: RegistrationConfig, template_path: str = "") -> Matrix:
    """Align rigidly and coarsely from each start, and keep the result with the highest mutual information."""
    quick = config.model_copy(update=_QUICK)
    coarse = coarsen(moving, quick.template_resolution)
    found = [
        run_stage(coarse, start, "Rigid", quick, template_path)
        for start in starts(coarse, config.starts, template_path)
    ]
    return max(found, key=lambda matrix: similarity(coarse, matrix, quick, template_path))


def similarity(moving: Volume, matrix: Matrix, config: RegistrationConfig, template_path: str = "") -> float:
    """Give the mutual information (nats) of scan and template inside the dilated brain mask."""
    fixed = template(config.template_resolution, template_path)
    inside = brain_mask(config.template_resolution, config.mask_dilation).data > 0
    moved = resample(moving, matrix, grid_of(fixed)).data
    return mutual_information(fixed.data[inside], moved[inside])


def mutual_information(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Give the mutual information (nats) of two samples, sum p(a,b) log(p(a,b) / p(a) p(b)) over 32 x 32 bins."""
    joint = np.histogram2d(a, b, bins=_BINS)[0]
    joint /= joint.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / independent[seen])).sum())


def run_stage(moving: Volume, start: Matrix, stage: str, config: RegistrationConfig, template_path: str = "") -> Matrix:
    """Run ANTs' stage, Rigid or Affine, from `start`; give the matrix scan's world -> template's world."""
    # What ITK cannot hold (shear of the scan's own affine) is put before the transform it finds.
    shear = orthogonal_affine(moving.affine) @ np.linalg.inv(moving.affine)
    with TemporaryDirectory() as folder:
        fixed = to_ants(template(config.template_resolution, template_path)).clone("double")
        found = _antsregistration(
            fixed, to_ants(moving).clone("double"), start @ np.linalg.inv(shear), stage, config, Path(folder)
        )
    return np.asarray(found @ shear)


def _antsregistration(
    fixed: Any, moving: Any, start: Matrix, stage: str, config: RegistrationConfig, folder: Path
) -> Matrix:
    ants = load_ants()
    mask = to_ants(brain_mask(config.template_resolution, config.mask_dilation)) != 0
    # ITK's transforms carry fixed points to moving points: the inverse of ours.
    _write_transform(ants, np.asarray(np.linalg.inv(start)), folder / "start.mat")
    pointer = ants.internal.get_pointer_string
    images = f"{pointer(fixed)},{pointer(moving)}"
    arguments = ["--dimensionality", "3", "--float", "0", "--random-seed", str(config.seed)]
    arguments += ["--initial-moving-transform", str(folder / "start.mat")]
    arguments += ["--masks", f"[{pointer(mask)},NA]"]
    arguments += ["--output", str(folder / "end"), "--collapse-output-transforms", "1"]
    arguments += _stage(stage, images, config)
    ants.registration(arguments, None)
    return np.asarray(np.linalg.inv(_read_transform(ants, folder / "end0GenericAffine.mat")))


def _stage(stage: str, images: str, config: RegistrationConfig) -> list[str]:
    return [
        *("--transform", f"{stage}[0.1]"),
        *("--metric", f"MI[{images},1,{_BINS},Regular,{config.sampling_fraction}]"),
        *("--convergence", f"[{_joined(config.iterations)},1e-6,10]"),
        *("--shrink-factors", _joined(config.shrink_factors)),
        *("--smoothing-sigmas", f"{_joined(config.smoothing_sigmas)}mm"),
    ]


def _joined(values: tuple[float, ...]) -> str:
    return "x".join(f"{value:g}" for value in values)


def _write_transform(ants: Any, matrix: Matrix, path: Path) -> None:
    centre = np.zeros(3)
    transform = ants.new_ants_transform(
        precision="double",
        dimension=3,
        transform_type="AffineTransform",
        parameters=matrix_to_itk(matrix, centre),
        fixed_parameters=centre,
    )
    ants.write_transform(transform, str(path))


def _read_transform(ants: Any, path: Path) -> Matrix:
    transform = ants.read_transform(str(path), precision="double")
    return matrix_from_itk(np.array(transform.parameters), np.array(transform.fixed_parameters))
