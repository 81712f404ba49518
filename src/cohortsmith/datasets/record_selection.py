"""Some keys of a record folder: which ones is saved, their records are loaded from the folder itself."""

import json
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.imaging.atomic_write import write_json
from cohortsmith.imaging.stored import Stored


class RecordSelection(AbstractDataset[dict[str, Stored], dict[str, Stored]]):
    """Save a list of keys; load the folder's records of those keys, without any copy of the voxels.

    filepath: of the list. folder: what a `RecordFolder` is given.
    """

    def __init__(self, *, filepath: str, folder: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        self._list, self._folder, self.metadata = Path(filepath), RecordFolder(**folder), metadata

    def save(self, data: dict[str, Stored]) -> None:
        write_json(self._list, {"Keys": sorted(data)})

    def load(self) -> dict[str, Stored]:
        chosen = set(json.loads(self._list.read_text())["Keys"])
        return {key: stored for key, stored in self._folder.load().items() if key in chosen}

    def _exists(self) -> bool:
        return self._list.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._list), "folder": self._folder._describe()}
