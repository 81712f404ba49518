import errno
import json
from pathlib import Path

import pytest

from cohortsmith.errors import CohortsmithError
from cohortsmith.imaging import atomic_write
from cohortsmith.imaging.atomic_write import write_bytes, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes(tmp_path / "a", b"old")

    def interrupted(self: Path, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(OSError, match="no space"):
        write_bytes(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_a_full_disk_is_said_with_the_name_of_the_file_and_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        path.write_bytes(content[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_write, "_write_through", full)
    with pytest.raises(CohortsmithError, match="the disk is full") as caught:
        write_bytes(tmp_path / "scan.nii.gz", b"new")
    assert "scan.nii.gz" in str(caught.value) and str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_json_keeps_order_and_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "a.json", {"z": "é", "a": 1})
    text = (tmp_path / "deep" / "a.json").read_text(encoding="utf-8")
    assert list(json.loads(text)) == ["z", "a"] and "é" in text


def test_what_json_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"age": float("nan")})
