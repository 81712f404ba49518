"""How a reader has many small jobs done: by whoever runs it, on as many cores as there are."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

# Called with a function that can be imported by name and its arguments by key; gives the values as they come.
Work = Callable[[Callable[..., Any], Mapping[str, tuple[Any, ...]]], Iterable[Any]]


def one_by_one(function: Callable[..., Any], items: Mapping[str, tuple[Any, ...]]) -> Iterator[Any]:
    """Do every job here, in the order given."""
    for arguments in items.values():
        yield function(*arguments)
