"""Blocks that the cards of all models have in common."""

from collections.abc import Iterator
from typing import Any

from cohortsmith.reporting.blocks import Code, Table
from cohortsmith.reporting.tables import readable, worded


def pairs_table(caption: str, pairs: dict[str, Any]) -> Table:
    """Set names beside their values; what is nested gets the names that lead to it."""
    return Table(caption, ["", ""], [[readable(name), text] for name, text in _leaves(pairs)], [False, False])


def signature_code(caption: str, signature: dict[str, Any]) -> Code:
    """Write the name, type and shape of what goes in and of what comes out, in columns; n where a size is negative."""
    lines = [
        f"{side:<7}{one['name']}  {one['type']}  ({', '.join('n' if size < 0 else str(size) for size in one['shape'])})"
        for side, one in signature.items()
    ]
    return Code(caption, "\n".join(lines))


def _leaves(pairs: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in pairs.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}: ")
        elif isinstance(value, list):
            yield prefix + name, ", ".join(map(str, value)) or "none"
        else:
            yield prefix + name, worded(value)
