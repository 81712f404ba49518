"""A folder that a node keeps what it has done so far in, and empties when it is done."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class WorkingFolder(AbstractDataset[NoReturn, Path]):
    """Load the folder's path, whether it exists or not; its content is the node's own affair."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self.metadata = Path(filepath), metadata

    def save(self, data: NoReturn) -> None:
        raise DatasetError(f"{self._path} is written by its node alone")

    def load(self) -> Path:
        return self._path

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}
