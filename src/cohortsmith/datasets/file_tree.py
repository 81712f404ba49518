"""Any files in a folder, each written whole or not at all, and left alone if they are there already."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from cohortsmith.imaging.atomic_write import write_bytes


class FileTree(AbstractDataset[dict[str, bytes | None], frozenset[str]]):
    """Save contents by relative path (`None` removes a file); load the relative paths of what is there."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._root, self.metadata = Path(filepath), metadata

    def save(self, data: dict[str, bytes | None]) -> None:
        for name, content in data.items():
            if content is None:
                self._remove(self._root / name)
            elif not _holds(self._root / name, content):
                write_bytes(self._root / name, content)

    def load(self) -> frozenset[str]:
        files = (path for path in self._root.rglob("*") if path.is_file() and not path.name.startswith("."))
        return frozenset(path.relative_to(self._root).as_posix() for path in files)

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for folder in path.relative_to(self._root).parents[:-1]:
            if (self._root / folder).is_dir() and not any((self._root / folder).iterdir()):
                (self._root / folder).rmdir()

    def _exists(self) -> bool:
        return self._root.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._root)}


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
