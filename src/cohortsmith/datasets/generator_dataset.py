"""A trained generator on disk: weights in safetensors, everything else in JSON; nothing is ever unpickled."""

import json
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from safetensors.torch import load_file

from cohortsmith.imaging.atomic_write import write_json
from cohortsmith.models.checkpoint import from_checkpoint, to_checkpoint
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.tensor_file import write_tensors


class GeneratorDataset(AbstractDataset[TrainedGenerator, TrainedGenerator | None]):
    """Save a trained generator; load it, or give `None` where there is none yet (`optional: true`)."""

    def __init__(self, *, filepath: str, optional: bool = False, metadata: dict[str, Any] | None = None) -> None:
        self._path, self._optional, self.metadata = Path(filepath), optional, metadata

    def save(self, data: TrainedGenerator) -> None:
        tensors, plain = to_checkpoint(data.fitted)
        provenance = {key: value for key, value in data._asdict().items() if key != "fitted"}
        self._description.unlink(missing_ok=True)  # never new weights under an old description
        write_tensors(self._path, tensors, {})
        write_json(self._description, {"provenance": provenance, "model": plain})

    def load(self) -> TrainedGenerator | None:
        if self._optional and not self._exists():
            return None
        plain = json.loads(self._description.read_text())
        provenance = {**plain["provenance"], "subjects": tuple(plain["provenance"]["subjects"])}
        return TrainedGenerator(from_checkpoint(load_file(self._path), plain["model"]), **provenance)

    @property
    def _description(self) -> Path:
        return self._path.with_suffix(".json")

    def _exists(self) -> bool:
        return self._path.is_file() and self._description.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}
