"""A folder of scans or results, one pair of payload and JSON record per key.

The record is written last, so a key counts as present only when everything of it is on disk; it carries the fingerprint
of what it was made from, so that a later run can tell what is still current.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset
from PIL import Image

from cohortsmith.datasets.atomically import replacing
from cohortsmith.imaging.atomic_write import write_bytes, write_json
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.volume import Volume, write_volume


class RecordFolder(AbstractDataset[dict[str, Stored | None], dict[str, Stored]]):
    """Save each key at once and atomically (`None` removes it); load the records, leaving the voxels on disk.

    name: file name without extension; `<key>`, `<subject>` and `<session>` are filled in.
    record_name: the same for the JSON record where it must lie elsewhere.
    previews: also write a PNG beside a volume of one slice.
    What a record calls `Files` lies beside the volume, and goes with it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        name: str = "<key>",
        record_name: str = "",
        description: str = "",
        previews: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._root, self._name, self._record_name = Path(filepath), name, record_name or name
        self._description, self._previews, self.metadata = description, previews, metadata

    def save(self, data: dict[str, Stored | None]) -> None:
        for key, stored in data.items():
            volume_path, record_path = self._path(self._name, key, ".nii.gz"), self._record_path(key)
            outdated = set(_read(record_path).get("Files", ()))
            record_path.unlink(missing_ok=True)  # never a new payload under an old record
            files = {} if stored is None else {f"{key}_{name}": content for name, content in stored.files.items()}
            for name in sorted(outdated - set(files)):
                volume_path.with_name(name).unlink(missing_ok=True)
            if stored is None:
                self._remove(volume_path)
                continue
            if stored.volume is not None:
                self._write_payload(volume_path, stored.volume)
            for name, content in files.items():
                write_bytes(volume_path.with_name(name), content)
            kept = {"Files": sorted(files)} if files else {}
            write_json(record_path, {**stored.record, **kept, "Key": key})

    def load(self) -> dict[str, Stored]:
        return dict(sorted(self._records()))

    def _write_payload(self, path: Path, volume: Volume) -> None:
        write_volume(path, volume, self._description)
        if self._previews and volume.data.shape[2] == 1:
            _write_slice(_preview(path), volume.data[:, :, 0])

    def _remove(self, volume_path: Path) -> None:
        volume_path.unlink(missing_ok=True)
        _preview(volume_path).unlink(missing_ok=True)

    def _records(self) -> Iterator[tuple[str, Stored]]:
        for path in self._root.glob(_fill(self._record_name, "*", "*", "*") + ".json"):
            record = _read(path)
            if "Key" in record:
                volume_path = self._path(self._name, record["Key"], ".nii.gz")
                yield record["Key"], Stored(record, path=str(volume_path))

    def _record_path(self, key: str) -> Path:
        return self._path(self._record_name, key, ".json")

    def _path(self, name: str, key: str, extension: str) -> Path:
        subject, _, session = key.partition("_")
        return self._root / (_fill(name, key, subject, session) + extension)

    def _exists(self) -> bool:
        return next(self._records(), None) is not None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._root), "name": self._name}


def _read(record_path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(record_path.read_text()))
    except (FileNotFoundError, json.JSONDecodeError):  # never written, or damaged: made again
        return {}


def _fill(name: str, key: str, subject: str, session: str) -> str:
    # Kedro fills curly brackets itself, from the name of the catalog entry.
    return name.replace("<key>", key).replace("<subject>", subject).replace("<session>", session)


def _write_slice(path: Path, voxels: np.ndarray) -> None:
    """Write a (X, Y) image in [0, 1] as 8-bit PNG, anterior up."""
    with replacing(path) as part:
        Image.fromarray((np.clip(voxels, 0, 1) * 255).round().astype(np.uint8).T[::-1]).save(part)


def _preview(volume_path: Path) -> Path:
    return volume_path.with_name(volume_path.name.removesuffix(".nii.gz") + ".png")
