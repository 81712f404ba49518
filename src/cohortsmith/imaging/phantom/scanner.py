"""The scanners of the phantom study: contrast, noise, field inhomogeneity, voxels and orientation.

A site has one scanner; every scan strays a little from it. The external study's scanners have less contrast
between grey and white matter, more noise, brighter fat and thicker slices.
"""

from typing import NamedTuple

import numpy as np
from nibabel.orientations import axcodes2ornt
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.phantom.cohort import STREAMS, Study

Affine = NDArray[np.float64]


class Manner(NamedTuple):
    """How the scanners of one study are: signals relative to white matter, noise relative to it too."""

    signal: dict[str, float]
    noise: float
    coarseness: float
    thickness: float


SIGNAL = {"csf": 0.26, "grey": 0.68, "white": 1.0, "marrow": 0.75, "muscle": 0.52, "fat": 1.25, "eye": 0.28}
MANNERS = {
    "training": Manner(SIGNAL, noise=0.025, coarseness=1.0, thickness=1.25),
    "external": Manner(SIGNAL | {"csf": 0.22, "grey": 0.74, "fat": 1.45}, noise=0.045, coarseness=1.1, thickness=1.4),
}
SITE_SPREAD, SCAN_SPREAD = 0.03, 0.015  # standard deviation of the logarithm of each signal
ORIENTATIONS = ("RAS", "LAS", "LPS", "PSR", "RPI", "ASL", "PIR", "RSA")
TILT = 3.0  # standard deviation of an oblique acquisition, degrees per axis
FIELD_OF_VIEW = ((0.0, -12.0, -6.0), (196.0, 244.0, 228.0))  # centre and extent, mm, along left-right, ...


class Scanner(NamedTuple):
    """How one scan is acquired.

    signal: tissue name -> intensity
    noise:  standard deviation of each channel of the receiver, intensity units
    field:  (3, 3) and (3,) coefficients of the logarithm of the receive field, quadratic in position / 100 mm
    voxel:  size along the three stored axes, mm
    codes:  where the stored axes point, such as "PSR"
    tilt:   (3, 3) rotation of an oblique acquisition
    """

    signal: dict[str, float]
    noise: float
    field: tuple[NDArray[np.float64], NDArray[np.float64]]
    voxel: NDArray[np.float64]
    codes: str
    tilt: NDArray[np.float64]


def draw_scanner(config: PhantomConfig, study: Study, site: str, rng: np.random.Generator) -> Scanner:
    """Draw how one scan is acquired at its site."""
    manner = MANNERS[study]
    of_site = np.random.default_rng([config.seed, STREAMS[study], *site.encode()])
    gain = of_site.uniform(300, 1500)
    spread = of_site.normal(0, SITE_SPREAD, len(manner.signal)) + rng.normal(0, SCAN_SPREAD, len(manner.signal))
    relative = np.array(list(manner.signal.values())) * np.exp(spread)
    return Scanner(
        signal=dict(zip(manner.signal, gain * relative, strict=True)),
        noise=gain * manner.noise * of_site.uniform(0.8, 1.2),
        field=(rng.normal(0, 0.06, (3, 3)), rng.normal(0, 0.08, 3)),
        voxel=_draw_voxel(config, manner, rng),
        codes=str(rng.choice(ORIENTATIONS)),
        tilt=Rotation.from_euler("xyz", rng.normal(0, TILT, 3), degrees=True).as_matrix(),
    )


def _draw_voxel(config: PhantomConfig, manner: Manner, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw voxel sizes around the configured one: square pixels, and slices up to `thickness` times thicker."""
    pixel = config.voxel_size * manner.coarseness * rng.uniform(0.92, 1.04)
    voxel = np.full(3, pixel)
    voxel[rng.integers(3)] *= rng.uniform(1, manner.thickness)
    return voxel


def place_grid(scanner: Scanner, pose: Affine) -> tuple[tuple[int, ...], Affine]:
    """Lay the scan's grid around the head: its shape, and its affine (voxel index -> subject world mm)."""
    centre, extent = FIELD_OF_VIEW
    axes, signs = stored_axes(scanner), axcodes2ornt(tuple(scanner.codes))[:, 1]
    shape = np.ceil(np.array(extent)[axes] / scanner.voxel).astype(int)
    affine = np.eye(4)
    directions = np.zeros((3, 3))
    directions[axes, range(3)] = signs
    affine[:3, :3] = scanner.tilt @ directions * scanner.voxel
    middle = np.linalg.solve(pose, [*centre, 1])[:3]
    affine[:3, 3] = middle - affine[:3, :3] @ ((shape - 1) / 2)
    return tuple(int(side) for side in shape), affine


def stored_axes(scanner: Scanner) -> NDArray[np.intp]:
    """Return the world axis (0 left-right, 1 back-front, 2 down-up) along which each stored axis runs."""
    return np.asarray(axcodes2ornt(tuple(scanner.codes))[:, 0], dtype=np.intp)


def receive(
    clean: NDArray[np.floating], affine: Affine, scanner: Scanner, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Turn the clean signal (X, Y, Z) into what is stored: inhomogeneous, with Rician noise, in whole numbers.

    Rician noise is the modulus of a complex signal with Gaussian noise in both channels (Gudbjartsson and Patz, 1995).
    """
    real = clean * _receive_field(clean.shape, affine, scanner) + rng.normal(0, scanner.noise, clean.shape)
    imaginary = rng.normal(0, scanner.noise, clean.shape)
    return np.asarray(np.rint(np.hypot(real, imaginary)), dtype=np.float32)


def _receive_field(shape: tuple[int, ...], affine: Affine, scanner: Scanner) -> NDArray[np.float32]:
    quadratic, linear = scanner.field
    offset = [np.arange(side) - (side - 1) / 2 for side in shape]
    axes = np.meshgrid(*offset, indexing="ij", sparse=True)
    # Position from the centre of the grid, in units of 100 mm: one component per world axis.
    place = [sum(affine[i, j] * axes[j] for j in range(3)) / 100 for i in range(3)]
    logarithm = sum(linear[i] * place[i] for i in range(3))
    logarithm = logarithm + sum(quadratic[i, j] * place[i] * place[j] for i in range(3) for j in range(i + 1))
    return np.asarray(np.exp(logarithm), dtype=np.float32)
