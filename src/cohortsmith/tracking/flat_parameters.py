"""The configuration as MLflow parameters: one short value per dotted name, and no path."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

HIDDEN = "(path)"
LONGEST = 500  # MLflow takes 6000 characters; a table column does not

_PATH_NAMES = re.compile(r"(^|_)(path|table|folder|filepath)$")
_PATH_VALUES = re.compile(r"[/\\]|^~|^\.{1,2}$")
_REFUSED_IN_NAMES = re.compile(r"[^\w.\- :/]")


def flatten_parameters(nested: Mapping[str, Any]) -> dict[str, str]:
    """Flatten to `block.name` -> text; a value that is or looks like a path becomes `(path)`.

    A path can hold a patient's name, and says where this machine keeps its scans.
    """
    return {tracked_name(name): _worded(name, value) for name, value in _leaves(nested, "")}


def tracked_name(name: str) -> str:
    """Replace what MLflow refuses in the name of a parameter or metric; `real+synthetic` keeps its sense."""
    return _REFUSED_IN_NAMES.sub("_", name.replace("+", " and "))


def without_paths(value: Any) -> str:
    """Give the value as text, or `(path)` where it looks like a path."""
    text = str(value)
    return HIDDEN if _PATH_VALUES.search(text) else text[:LONGEST]


def _leaves(nested: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _worded(name: str, value: Any) -> str:
    is_path = _PATH_NAMES.search(name.rpartition(".")[2]) and isinstance(value, str) and value
    return HIDDEN if is_path else without_paths(value)
