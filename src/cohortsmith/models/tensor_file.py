"""Tensors and plain values in one safetensors file, whole or absent; nothing is ever pickled."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

_PLAIN = "plain"  # the one key of the file's metadata, which can hold text only


def write_tensors(path: Path, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """Write into a hidden folder beside `path`, from where the file takes its place once it is on the disk.

    plain: what JSON can hold; NaN and infinities are allowed.
    """
    part = path.with_name(f".{path.name}.part")  # one name, so that a kill leaves at most one to overwrite
    shutil.rmtree(part, ignore_errors=True)  # safetensors writes under random names, which a kill leaves there
    part.mkdir(parents=True)
    whole = part / path.name
    save_file({name: _bare(value) for name, value in tensors.items()}, whole, {_PLAIN: json.dumps(plain)})
    with whole.open("rb") as stream:
        os.fsync(stream.fileno())
    whole.replace(path)
    part.rmdir()


@contextlib.contextmanager
def open_tensors(path: Path) -> Iterator[tuple[Mapping[str, Tensor], dict[str, Any]]]:
    """Open what `write_tensors` wrote: tensors, each read when it is asked for, and plain values.

    Raises:
        SafetensorError, OSError, KeyError, TypeError, ValueError: where the file is none of these.
    """
    with safe_open(path, "pt") as file:
        yield _Tensors(file), json.loads(file.metadata()[_PLAIN])


class _Tensors(Mapping[str, Tensor]):
    def __init__(self, file: Any) -> None:
        self._file, self._names = file, tuple(file.keys())

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        value: Tensor = self._file.get_tensor(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _bare(value: Tensor) -> Tensor:
    return value.detach().to(torch.device("cpu")).contiguous()
