"""Which scans a run is about, who is in them, and how they are split."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from cohortsmith.config.base import Config

Source = Literal["nifti", "bids", "slices", "dicom", "adni", "aibl", "oasis1"]
Stage = Literal["ingest", "prepare", "learn", "augment", "judge", "report"]

_IN_USE = {
    *("key", "participant_id", "session_id", "diagnosis", "age", "sex", "mmse", "site", "day", "rule"),
    *("month", "split", "training_set", "fingerprint", "label", "number"),
}


class Columns(Config):
    """Names of the clinical columns in the study's own table; empty means the study has none.

    further: numbers to carry along under their own names, such as nWBV (sources nifti, slices and bids).
    """

    participant: str = "participant_id"
    session: str = "session_id"
    diagnosis: str = "diagnosis"
    age: str = "age"
    sex: str = "sex"
    mmse: str = ""
    site: str = ""
    file: str = ""
    further: tuple[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], ...] = ()

    @field_validator("further")
    @classmethod
    def _leave_names_in_use(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if taken := sorted(set(names) & _IN_USE) or len(set(names)) < len(names):
            raise ValueError(f"names that are not in use already: {taken}")
        return names


class StudyConfig(Config):
    """One study: where its scans lie and what its labels are called.

    simulated: it is the embedded phantom study, which is delivered to `path` before it is read.
    labels: the negative (control) label first, the positive (patient) label second.
    table: the clinical table, or the folder of a study's tables (default: inside `path`).
    external_source: kind of the external study, if not `source`.
    stages: how far the chain goes (six scans can be prepared and sampled, but not judged).
    """

    name: str = Field(pattern=r"^[a-zA-Z0-9]+$")
    source: Source
    simulated: bool = False
    path: str = ""
    table: str = ""
    labels: tuple[str, str]
    columns: Columns = Columns()
    external_name: str = ""
    external_source: Source | None = None
    external_path: str = ""
    external_table: str = ""
    stages: tuple[Stage, ...] = ("ingest", "prepare", "learn", "augment", "judge", "report")

    @field_validator("labels")
    @classmethod
    def _tell_labels_apart(cls, labels: tuple[str, str]) -> tuple[str, str]:
        if labels[0] == labels[1]:
            raise ValueError("two different labels, controls first")
        return labels


class PhantomConfig(Config):
    """The embedded study: sizes, grid and strength of the disease effect.

    voxel_size: mm; single scans stray around it
    effect_mean, effect_sd: strength of the disease among patients, latent units; controls have mean 0 and control_sd
    """

    n_subjects: PositiveInt = 100
    n_external: int = Field(40, ge=0)
    voxel_size: PositiveFloat = 3.0
    effect_mean: float = 1.4
    effect_sd: PositiveFloat = 0.6
    control_sd: PositiveFloat = 0.5
    seed: int = 2026
