"""What is written of a prepared scan: its record, and beside it the transform and whatever else is to be kept.

Names follow BIDS derivatives; `_xfm` files are of a proposal (BEP014) and are listed in the folder's .bidsignore.
"""

import json
from importlib.metadata import version
from typing import Any

from cohortsmith.config.preparation import PreparationConfig, space_name
from cohortsmith.imaging.bids import entities
from cohortsmith.imaging.native_space import itk_text
from cohortsmith.imaging.preparation import Prepared, prepare_scan
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.template import template_identity
from cohortsmith.imaging.volume import Volume, nifti_bytes, read_volume

SOFTWARE = ("cohortsmith", "antspyx", "nibabel", "nilearn", "numpy", "scikit-learn", "scipy")
_NEXT_TO_NOTHING = 0.05  # of the voxels around the brain; whole heads fill most of them
# Settings that say what is written or decided, not what a prepared scan looks like.
_WITHOUT_EFFECT = {"keep", "minimum_correlation", "decisions", "external_decisions", "template"}
_WITHOUT_EFFECT_ON_SLICES = {"bias_field", "registration", "resolution", "brain_extraction", "deface"}


def prepare_file(key: str, path: str, config: PreparationConfig) -> Stored:
    """Read and prepare one scan, and compress what is to be written beside it: the work of a worker process.

    Raises `ScanRejected` for a file that no step can use.
    """
    volume = read_volume(path, key, minimum_slices=1 if config.kind == "slices" else 16)
    prepared = prepare_scan(volume, config, key)
    record = {**describe_prepared(prepared, config, key), "Kept": kept_names(config)}
    return Stored(record, prepared.volume, files=files_beside(prepared, config, key))


def effective_parameters(config: PreparationConfig) -> dict[str, Any]:
    """Give the settings that a prepared scan depends on, without paths."""
    on_slices = _WITHOUT_EFFECT_ON_SLICES if config.kind == "slices" else set()
    return config.model_dump(mode="json", exclude=_WITHOUT_EFFECT | on_slices)


def software_versions(config: PreparationConfig) -> dict[str, str]:
    """Give the version of every library that touches the voxels."""
    if config.kind == "slices":
        return {"cohortsmith": version("cohortsmith")}
    used = (*SOFTWARE, "deepbet") if config.brain_extraction else SOFTWARE
    return {name: version(name) for name in used}


def describe_prepared(prepared: Prepared, config: PreparationConfig, key: str) -> dict[str, Any]:
    """Say where a prepared scan comes from and how each step can be undone."""
    content: dict[str, Any] = {
        "Description": _steps(config),
        "Sources": [source_uri(key)],
        "SkullStripped": config.brain_extraction or is_skull_stripped(prepared),
        "Defaced": config.deface,
        "Parameters": effective_parameters(config),
        "Software": software_versions(config),
        "NativeGrid": {"Shape": list(prepared.native.shape), "Affine": prepared.native.affine.tolist()},
        "Transform": prepared.transform.tolist(),
        "Quality": prepared.quality,
        "Seconds": prepared.seconds,
    }
    if config.kind == "volume":
        content["Template"] = template_identity(config.template)
    return content


def source_uri(key: str) -> str:
    """Give the BIDS URI of the raw scan; `raw` is named in the derivative's dataset_description.json."""
    subject, session = entities(key)
    return f"bids:raw:sub-{subject}/ses-{session}/anat/{key}_T1w.nii.gz"


def _steps(config: PreparationConfig) -> str:
    shaped = f", {config.shape_rule.replace('_', ' and ')} to {config.shape}" if config.shape else ""
    end = f"down-sampled by {config.downsample}{shaped}, intensities scaled to [0, 1] by minimum and maximum"
    if config.kind == "slices":
        return f"Aligned slice {end}"
    brain = "brain extraction (deepbet), " if config.brain_extraction else ""
    nearest = " refined to the nearest of a dense map" if config.registration.correspondence else ""
    face = "face removed, " if config.deface else ""
    return (
        f"N4 bias correction, {brain}{config.registration.transform} registration{nearest}, {face}"
        f"cropped to the box of Chadebec et al. (2022) on {config.resolution:g} mm voxels, {end}"
    )


def files_beside(prepared: Prepared, config: PreparationConfig, key: str) -> dict[str, bytes]:
    """Give the files to be written beside a prepared scan: what follows `<key>_` in the name -> content."""
    if config.kind == "slices":
        return {}
    space = space_name(config)
    files = {f"from-T1w_to-{space}_mode-image_xfm.txt": itk_text(prepared.transform).encode()}
    kept = {
        "bias_field": (
            "desc-biasfield_T1w",
            prepared.bias_field,
            "N4 bias field on the raw scan's grid: the scan divided by it is the corrected scan",
        ),
        "registered": (
            f"space-{space}_desc-registered_T1w",
            prepared.registered,
            "Corrected scan on the crop box, before down-sampling and scaling",
        ),
        "defaced": ("desc-defaced_T1w", prepared.defaced, "Raw scan on its own grid, its face set to zero"),
    }
    for name in config.keep:
        stem, volume, description = kept[name]
        extracted = config.brain_extraction and name == "registered"
        sidecar = {
            "Description": description,
            "Sources": [source_uri(key)],
            "SkullStripped": extracted or is_skull_stripped(prepared),
        }
        files |= _image_with_sidecar(stem, volume, sidecar)
    return files


def kept_names(config: PreparationConfig) -> list[str]:
    """Name what is kept beside a prepared scan, for its record."""
    return [] if config.kind == "slices" else sorted({"transform", *config.keep})


def is_skull_stripped(prepared: Prepared) -> bool:
    """Say whether there is next to no tissue around the brain (unknown for slices: no)."""
    return prepared.quality.get("tissue_outside_brain", 1.0) < _NEXT_TO_NOTHING


def _image_with_sidecar(stem: str, volume: Volume | None, sidecar: dict[str, Any]) -> dict[str, bytes]:
    assert volume is not None
    return {
        f"{stem}.nii.gz": nifti_bytes(volume, sidecar["Description"]),
        f"{stem}.json": (json.dumps(sidecar, indent=2) + "\n").encode(),
    }
