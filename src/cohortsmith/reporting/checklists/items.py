"""One question of a reporting guideline, in our own short words."""

from typing import NamedTuple


class Item(NamedTuple):
    """A numbered question. known_as: the key of what a run knows of it (`known`); nothing where no run can know."""

    number: str
    asks: str
    known_as: str = ""


class Checklist(NamedTuple):
    """A guideline's questions. source: whom to cite; the wording there counts, ours is a reminder."""

    name: str
    source: str
    items: tuple[Item, ...]
