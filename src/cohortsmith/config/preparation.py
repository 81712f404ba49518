"""How a raw scan becomes a small aligned volume."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from cohortsmith.config.base import Config


class BiasFieldConfig(Config):
    """N4 (Tustison et al. 2010), estimated on a copy of about `resolution` mm.

    spline_spacing: mm between control points at the coarsest level; it halves at each further level.
    """

    resolution: PositiveFloat = 6.0
    iterations: tuple[PositiveInt, ...] = (50, 50, 50)
    tolerance: PositiveFloat = 1e-4
    spline_spacing: PositiveFloat = 200.0


class RegistrationConfig(Config):
    """Rigid then affine registration to the template by mutual information.

    template_resolution: mm of the template, and of the copy of the scan, that are compared.
    smoothing_sigmas: mm. mask_dilation: mm around the brain that the metric still sees.
    """

    transform: Literal["affine", "rigid"] = "affine"
    template_resolution: PositiveFloat = 2.0
    sampling_fraction: float = Field(0.25, gt=0, le=1)
    iterations: tuple[int, ...] = (1000, 500, 250)
    shrink_factors: tuple[PositiveInt, ...] = (4, 2, 1)
    smoothing_sigmas: tuple[float, ...] = (3, 2, 1)
    mask_dilation: float = Field(6.0, ge=0)
    seed: PositiveInt = 345

    @model_validator(mode="after")
    def _give_every_level_all_settings(self) -> "RegistrationConfig":
        if not len(self.iterations) == len(self.shrink_factors) == len(self.smoothing_sigmas):
            raise ValueError("iterations, shrink_factors and smoothing_sigmas must have one value per level each")
        return self


class PreparationConfig(Config):
    """One scan's way from BIDS to the model's grid.

    kind: `volume` runs N4, registration, crop; `slices` takes images that are aligned already.
    resolution: mm of the cropped MNI grid (1.0 gives 169 x 208 x 179).
    downsample: integer factor of the trilinear down-sampling after the crop (2 gives 84 x 104 x 89).
    minimum_correlation: with the template inside the brain, both smoothed to 4 mm; a scan below it is set aside. Good
    alignments of real scans lie at 0.7 or above, those 10 mm off or upside down below 0.5.
    """

    kind: Literal["volume", "slices"] = "volume"
    bias_field: BiasFieldConfig = BiasFieldConfig()
    registration: RegistrationConfig = RegistrationConfig()
    resolution: PositiveFloat = 1.0
    downsample: PositiveInt = 2
    minimum_correlation: float = 0.5
