"""A trained generator on disk: weights in safetensors, everything else in JSON beside it; nothing is ever unpickled."""

import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from cohortsmith.models.checkpoint import from_checkpoint, to_checkpoint
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.tensor_file import write_tensors


def write_generator(path: Path, generator: TrainedGenerator) -> None:
    """Write `path` (safetensors), then its description: a kill never leaves new weights under an old description."""
    tensors, plain = to_checkpoint(generator.fitted)
    provenance = {key: value for key, value in generator._asdict().items() if key != "fitted"}
    description = path.with_suffix(".json")
    description.unlink(missing_ok=True)
    write_tensors(path, tensors, {})
    part = description.with_name(f".{description.name}.part")
    with part.open("w") as stream:
        json.dump({"provenance": provenance, "model": plain}, stream, indent=2, allow_nan=False)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(description)


def read_generator_file(path: Path) -> TrainedGenerator:
    """Read what `write_generator` wrote."""
    plain = json.loads(path.with_suffix(".json").read_text())
    provenance = {**plain["provenance"], "subjects": tuple(plain["provenance"]["subjects"])}
    return TrainedGenerator(from_checkpoint(load_file(path), plain["model"]), **provenance)


def read_provenance(path: Path) -> dict[str, Any] | None:
    """Read label, subjects, fingerprint and seed without the weights; None where there is no whole generator."""
    description = path.with_suffix(".json")
    if not (path.is_file() and description.is_file()):
        return None
    return dict(json.loads(description.read_text())["provenance"])
