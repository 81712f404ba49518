"""Smooth invertible deformations: stationary velocity fields on a coarse lattice over the template head.

A field is (3, X, Y, Z) mm on the lattice; its exponential is found by scaling and squaring (Arsigny et al., 2006).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Field = NDArray[np.float64]
Points = NDArray[np.floating]

# The lattice covers the padded template head; its spacing bounds how sharply anatomy can change.
ORIGIN = np.array([-100.0, -136.0, -128.0])
SPACING = 5.0
SHAPE = (41, 51, 50)


def lattice_points() -> Field:
    """Return the template coordinates (3, X, Y, Z) of the lattice, mm."""
    return np.asarray(ORIGIN[:, None, None, None] + SPACING * np.indices(SHAPE))


def random_velocity(rng: np.random.Generator, smoothness: float, size: float) -> Field:
    """Draw a smooth velocity field: Gaussian correlation of `smoothness` mm, root mean square `size` mm."""
    white = rng.standard_normal((3, *SHAPE))
    smooth = np.stack([ndimage.gaussian_filter(each, smoothness / SPACING, mode="wrap") for each in white])
    return np.asarray(smooth * (size / smooth.std()))


def flow_with_divergence(density: Field) -> Field:
    """Return the curl-free velocity field whose divergence is `density` (X, Y, Z) less its mean, per unit time.

    It is the gradient of the solution of a Poisson equation, solved in Fourier space on the periodic lattice.
    """
    waves = np.stack(np.meshgrid(*(2 * np.pi * fft.fftfreq(side, SPACING) for side in SHAPE), indexing="ij"))
    squared = (waves**2).sum(axis=0)
    squared[0, 0, 0] = np.inf
    spectrum = -1j * waves * fft.fftn(density) / squared
    return np.asarray(fft.ifftn(spectrum, axes=(1, 2, 3)).real)


def exponential(velocity: Field, squarings: int = 5) -> Field:
    """Integrate a velocity field over unit time: the displacement (3, X, Y, Z), mm, of the end points."""
    displacement: Field = velocity / 2**squarings
    start = np.indices(SHAPE, dtype=np.float64)
    for _ in range(squarings):
        displacement = displacement + _sample(displacement, start + displacement / SPACING)
    return displacement


def displace(points: Points, displacement: Field) -> Points:
    """Move template points (3, ...) mm by a displacement field, interpolated linearly."""
    index = (points - ORIGIN.reshape(3, *([1] * (points.ndim - 1)))) / SPACING
    return np.asarray(points + _sample(displacement, index))


def jacobian_determinant(displacement: Field) -> Field:
    """Return the local change of volume (X, Y, Z) of a deformation; positive everywhere if it is invertible."""
    gradients = [np.stack(np.gradient(each, SPACING), axis=-1) for each in displacement]
    return np.asarray(np.linalg.det(np.stack(gradients, axis=-2) + np.eye(3)))


def _sample(field: Field, index: Points) -> NDArray[np.float64]:
    return np.stack([ndimage.map_coordinates(each, index, order=1, mode="nearest") for each in field])
