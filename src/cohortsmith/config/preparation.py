"""How a raw scan becomes a small aligned volume."""

from importlib.util import find_spec
from typing import Literal, Self

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


class CorrespondenceConfig(Config):
    """The dense map whose nearest affine ends a registration: SyN (Avants et al. 2008) by local correlation.

    resolution: mm of its grid. iterations: at each level; the grid of a level is twice as fine as that before.
    radius: voxels of the window of the correlation. update_smoothing: variance, voxels^2, of the Gaussian over each
    update of the map.
    """

    resolution: PositiveFloat = 4.0
    iterations: tuple[PositiveInt, ...] = Field((20, 10, 5), min_length=1, max_length=4)
    radius: PositiveInt = 2
    update_smoothing: PositiveFloat = 6.0


class RegistrationConfig(Config):
    """Rigid then affine registration to the template by mutual information.

    template_resolution: mm of the template that is compared; the copy of the scan is twice as fine.
    smoothing_sigmas: mm. mask_dilation: mm around the brain that the metric still sees.
    starts: poses, of all that are tried, from which a coarse rigid registration begins; the best end goes on.
    correspondence: of the last step, that gives the affine nearest to a dense map; null leaves it out.
    """

    transform: Literal["affine", "rigid"] = "affine"
    template_resolution: PositiveFloat = 4.0
    sampling_fraction: float = Field(0.3, gt=0, le=1)
    iterations: tuple[int, ...] = (500, 250)
    shrink_factors: tuple[PositiveInt, ...] = (2, 1)
    smoothing_sigmas: tuple[float, ...] = (3, 2)
    mask_dilation: float = Field(6.0, ge=0)
    starts: PositiveInt = 3
    seed: PositiveInt = 345
    correspondence: CorrespondenceConfig | None = CorrespondenceConfig()

    @model_validator(mode="after")
    def _give_every_level_all_settings(self) -> "RegistrationConfig":
        if not len(self.iterations) == len(self.shrink_factors) == len(self.smoothing_sigmas):
            raise ValueError("iterations, shrink_factors and smoothing_sigmas must have one value per level each")
        return self


class TemplateConfig(Config):
    """The image that scans are registered to: the one nilearn ships, or the user's own file.

    path: of a T1w template in MNI space, or nothing. sha256: of that file's content; the default is that of
    `mni_icbm152_t1_tal_nlin_sym_09c.nii` (McGill, ICBM 2009c symmetric) as Clinica's t1-linear uses it.
    space: its BIDS name, which becomes part of file names.
    """

    path: str = ""
    sha256: str = Field("93359ab97c1c027376397612a9b6c30e95406c15bf8695bd4a8efcb2064eaa34", pattern=r"^[0-9a-f]{64}$")
    space: str = Field("MNI152NLin2009cSym", pattern=r"^[a-zA-Z0-9]+$")


# BIDS name of the template that nilearn ships: ICBM 2009a non-linear symmetric, skull-stripped.
SHIPPED_SPACE = "MNI152NLin2009aSym"
Intermediate = Literal["bias_field", "registered", "defaced"]


class PreparationConfig(Config):
    """One scan's way from BIDS to the model's grid.

    kind: `volume` runs N4, registration, crop; `slices` takes images that are aligned already.
    resolution: mm of the cropped MNI grid (1.0 gives 169 x 208 x 179).
    downsample: integer factor of the trilinear down-sampling after the crop (2 gives 84 x 104 x 89).
    shape: voxels of the model's grid, if others than that. shape_rule: `pad_crop` keeps the voxels and cuts or fills
    both ends of each axis alike (the far end takes the odd one); `resample` keeps the field of view, not the voxels.
    minimum_correlation: with the template inside the brain, both smoothed to 4 mm; a scan below it is dropped. Good
    alignments of real scans lie at about 0.65 or above, those 10 mm off or upside down below 0.5.
    brain_extraction: what is not brain is set to zero before registration (deepbet; needs the extra `brain`).
    deface: the face is set to zero after registration, so that no derivative holds it.
    keep: what is saved beside the prepared scan and its transform; `defaced`: the raw scan without its face.
    decisions, external_decisions: tables of a person's decisions on scans, participant_id, session_id (optional),
    decision (keep or drop) and reason; nothing means `decisions.tsv` beside the prepared scans, if it is there.
    """

    kind: Literal["volume", "slices"] = "volume"
    template: TemplateConfig = TemplateConfig()
    bias_field: BiasFieldConfig = BiasFieldConfig()
    registration: RegistrationConfig = RegistrationConfig()
    resolution: PositiveFloat = 1.0
    downsample: PositiveInt = 2
    shape: tuple[PositiveInt, PositiveInt, PositiveInt] | None = None
    shape_rule: Literal["pad_crop", "resample"] = "pad_crop"
    minimum_correlation: float = 0.5
    brain_extraction: bool = False
    deface: bool = False
    keep: tuple[Intermediate, ...] = ()
    decisions: str = ""
    external_decisions: str = ""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if "defaced" in self.keep and not self.deface:
            raise ValueError("keep: defaced needs deface: true")
        if self.brain_extraction and find_spec("deepbet") is None:
            raise ValueError("brain_extraction: false, or the extra that does it: pip install 'cohortsmith[brain]'")
        return self


def space_name(config: PreparationConfig) -> str:
    """Give the BIDS name of the space that prepared scans lie in."""
    return config.template.space if config.template.path else SHIPPED_SPACE


def decisions_path(config: PreparationConfig, role: str) -> str:
    """Give where the user keeps the decisions on one role's scans, or nothing."""
    return config.external_decisions if role == "external" else config.decisions
