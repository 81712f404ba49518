"""Many images of one shape in one file, written row by row and read by memory map: memory stays flat."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset, DatasetError
from numpy.typing import NDArray

from cohortsmith.datasets.atomically import replacing


class ImageStack(AbstractDataset[Iterable[NDArray[np.float32]], NDArray[np.float32]]):
    """Save an iterable of equally shaped float32 images as one `.npy`; load it as a memory map (N, *shape)."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self.metadata = Path(filepath), metadata

    def save(self, data: Iterable[NDArray[np.float32]]) -> None:
        rows = iter(data)
        first = next(rows, None)
        if first is None:
            raise DatasetError(f"{self._path.name}: there is no image to save")
        with replacing(self._path) as part, part.open("wb") as stream:
            count = self._write_rows(stream, first, rows)
            stream.seek(0)
            _write_header(stream, (count, *first.shape))

    @staticmethod
    def _write_rows(stream: Any, first: NDArray[np.float32], rows: Iterable[NDArray[np.float32]]) -> int:
        _write_header(stream, (0, *first.shape))
        stream.write(np.ascontiguousarray(first, dtype=np.float32).tobytes())
        count = 1
        for row in rows:
            if row.shape != first.shape:
                raise DatasetError(f"image {count} has shape {row.shape}, the first one has {first.shape}")
            stream.write(np.ascontiguousarray(row, dtype=np.float32).tobytes())
            count += 1
        return count

    def load(self) -> NDArray[np.float32]:
        return np.load(self._path, mmap_mode="r", allow_pickle=False)

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}


def _write_header(stream: Any, shape: tuple[int, ...]) -> None:
    # NumPy pads the header of format 1.0 so that a growing first axis does not move the data (numpy.lib.format).
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
