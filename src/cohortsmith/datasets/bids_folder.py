"""What a BIDS folder says of itself: description, participants, README; loaded, it is where the folder lies."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from cohortsmith.imaging.atomic_write import write_text
from cohortsmith.imaging.bids import write_dataset_description
from cohortsmith.imaging.bids_tables import FolderDescription, write_participants


class BidsFolder(AbstractDataset[FolderDescription, Path]):
    """Save the descriptive files of a BIDS folder; load the folder's path, for the validator."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._root, self.metadata = Path(filepath), metadata

    def save(self, data: FolderDescription) -> None:
        write_dataset_description(
            self._root,
            data.name,
            derivative=data.derivative,
            description=data.description,
            sources=data.sources,
            links=data.links,
        )
        if data.ignored:
            write_text(self._root / ".bidsignore", "\n".join(data.ignored) + "\n")
        write_participants(self._root, data.participants)

    def load(self) -> Path:
        return self._root

    def _exists(self) -> bool:
        return (self._root / "dataset_description.json").is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._root)}
