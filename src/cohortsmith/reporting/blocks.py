"""The few kinds of things a page is made of; the template knows how each is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Paragraph:
    """Running text. tone: plain, lead, absent (what there is not), good, bad, warning, unsure."""

    text: str
    tone: str = "plain"
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Table:
    """Cells as text. numeric: per column, whether it is set flush right."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Picture:
    """A figure as PNG, what it shows for who cannot see it, and its caption.

    width: CSS pixels at most. name: of its file where pages keep pictures as files; otherwise numbered.
    """

    png: bytes
    alt: str
    caption: str
    width: int = 960
    name: str = ""
    kind: ClassVar[str] = "picture"


@dataclass(frozen=True)
class Card:
    """One small picture with its numbers. flag: why it stands out. note: said below it. line: text to be copied."""

    title: str
    png: bytes
    alt: str
    numbers: Sequence[tuple[str, str]]
    flag: str = ""
    note: str = ""
    line: str = ""


@dataclass(frozen=True)
class Cards:
    """Many cards, in the order to be looked at."""

    cards: Sequence[Card]
    kind: ClassVar[str] = "cards"


@dataclass(frozen=True)
class Bars:
    """Named amounts as bars. rows: name, text, share of the longest in [0, 1]."""

    caption: str
    rows: Sequence[tuple[str, str, float]]
    kind: ClassVar[str] = "bars"


@dataclass(frozen=True)
class Code:
    """Text to be typed or copied as it is."""

    caption: str
    text: str
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Details:
    """What few readers want to see at once: shown when its summary is opened."""

    summary: str
    blocks: "Sequence[Block]"
    kind: ClassVar[str] = "details"


Block = Paragraph | Bullets | Table | Picture | Cards | Bars | Code | Details


@dataclass(frozen=True)
class Section:
    """A titled part of a page; anchor is its place in the page's address."""

    anchor: str
    title: str
    blocks: Sequence[Block]
