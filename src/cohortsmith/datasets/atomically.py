"""Any single-file catalog type, written to a temporary name first and then moved into place."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that takes the place of `path` if all goes well, else vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class Atomically(AbstractDataset[Any, Any]):
    """Save the wrapped dataset so that a kill leaves the old file or the whole new one, never a part.

    optional: loading gives `None` where there is no file yet.
    """

    def __init__(
        self,
        *,
        filepath: str,
        dataset: dict[str, Any],
        optional: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path, self._config, self.metadata = Path(filepath), dataset, metadata
        self._optional = optional

    def save(self, data: Any) -> None:
        with replacing(self._path) as part:
            self._wrapped(part).save(data)

    def load(self) -> Any:
        if self._optional and not self._exists():
            return None
        return self._wrapped(self._path).load()

    def _wrapped(self, path: Path) -> AbstractDataset[Any, Any]:
        return AbstractDataset.from_config("wrapped", {**self._config, "filepath": str(path)})

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path), "dataset": self._config}
