"""How a raw scan becomes a small aligned volume."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from cohortsmith.config.base import Config


class BiasFieldConfig(Config):
    """N4 (Tustison et al. 2010). spline_spacing: mm between control points at the coarsest level."""

    shrink_factor: PositiveInt = 4
    iterations: tuple[PositiveInt, ...] = (50, 50, 50, 50)
    tolerance: PositiveFloat = 1e-7
    spline_spacing: PositiveFloat = 200.0


class RegistrationConfig(Config):
    """Rigid then affine registration to the template by mutual information."""

    transform: Literal["affine", "rigid"] = "affine"
    template_resolution: PositiveFloat = 1.0
    sampling_fraction: float = Field(0.25, gt=0, le=1)
    iterations: tuple[int, ...] = (1000, 500, 250, 0)
    shrink_factors: tuple[PositiveInt, ...] = (8, 4, 2, 1)
    smoothing_sigmas: tuple[float, ...] = (3, 2, 1, 0)
    seed: int = 345


class PreparationConfig(Config):
    """One scan's way from BIDS to the model's grid.

    kind: `volume` runs N4, registration, crop; `slices` takes images that are aligned already.
    resolution: mm of the cropped MNI grid (1.0 gives 169 x 208 x 179).
    downsample: integer factor of the trilinear down-sampling after the crop (2 gives 84 x 104 x 89).
    """

    kind: Literal["volume", "slices"] = "volume"
    bias_field: BiasFieldConfig = BiasFieldConfig()
    registration: RegistrationConfig = RegistrationConfig()
    resolution: PositiveFloat = 1.0
    downsample: PositiveInt = 2
    minimum_correlation: float = 0.3
