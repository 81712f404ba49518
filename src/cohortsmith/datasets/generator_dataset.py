"""A trained generator in the catalog."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from cohortsmith.models.generator_file import read_generator_file, read_provenance, write_generator
from cohortsmith.models.provenance import TrainedGenerator


class GeneratorDataset(AbstractDataset[TrainedGenerator, TrainedGenerator | None]):
    """Save a trained generator; load it, or give `None` where there is none yet (`optional: true`)."""

    def __init__(self, *, filepath: str, optional: bool = False, metadata: dict[str, Any] | None = None) -> None:
        self._path, self._optional, self.metadata = Path(filepath), optional, metadata

    def save(self, data: TrainedGenerator) -> None:
        write_generator(self._path, data)

    def load(self) -> TrainedGenerator | None:
        if self._optional and not self._exists():
            return None
        return read_generator_file(self._path)

    def _exists(self) -> bool:
        return read_provenance(self._path) is not None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}
