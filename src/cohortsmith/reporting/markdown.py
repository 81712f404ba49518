"""The report as Markdown, from the same blocks as the page: for a manuscript, a repository, or pandoc."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cohortsmith.reporting.blocks import (
    Bars,
    Block,
    Bullets,
    Cards,
    Code,
    Details,
    Paragraph,
    Picture,
    Section,
    Table,
)
from cohortsmith.reporting.content import ReportContent
from cohortsmith.reporting.outline import report_title
from cohortsmith.reporting.wording import PHANTOM_BANNER

PICTURES = "pictures"  # the folder beside the text

_SPECIAL = re.compile(r"([\\`*<>|]|\](?=[(\[:]))")  # of brackets, only those that would make a link
_LOUD = ("good", "bad", "unsure", "warning")


def render_markdown(content: ReportContent, sections: Sequence[Section]) -> str:
    """Write the report as CommonMark with tables; its pictures lie in the folder `PICTURES` beside it."""
    run = content.run
    version = run.versions.get("cohortsmith", "")
    facts = [f"seed {run.seed}", run.date, f"cohortsmith {version}" if version else ""]
    banner = [Paragraph(PHANTOM_BANNER, "warning")] if run.is_phantom else []
    top = [Paragraph(" · ".join(filter(None, facts))), *banner]
    return write_sections(report_title(content), sections, top)


def write_sections(title: str, sections: Sequence[Section], top: Sequence[Block] = ()) -> str:
    """Write a title, blocks below it, and sections as CommonMark with tables."""
    lines = [f"# {_escaped(title)}", *(text for block in top for text in _written(block, {}))]
    lines += [text for section in sections for text in _section(section)]
    return "\n\n".join(lines) + "\n"


def pictures_of(sections: Sequence[Section]) -> dict[str, bytes]:
    """Give the file of every figure that the Markdown refers to: name -> PNG."""
    return {name: picture.png for section in sections for name, picture in _named_pictures(section)}


def _section(section: Section) -> Iterator[str]:
    names = {id(picture): name for name, picture in _named_pictures(section)}
    yield f"## {_escaped(section.title)}"
    for block in section.blocks:
        yield from _written(block, names)


def _named_pictures(section: Section) -> list[tuple[str, Picture]]:
    pictures = [block for block in section.blocks if isinstance(block, Picture)]
    return [
        (f"{picture.name or f'{section.anchor}_{number}'}.png", picture) for number, picture in enumerate(pictures, 1)
    ]


def _written(block: Block, names: Mapping[int, str]) -> Iterator[str]:
    if isinstance(block, Picture):
        yield f"![{_escaped(block.alt)}]({PICTURES}/{names[id(block)]})"
        yield f"*{_escaped(block.caption)}*"
    elif isinstance(block, Details):
        yield f"### {_escaped(block.summary)}"
        for inner in block.blocks:
            yield from _written(inner, names)
    else:
        yield from _WRITERS[type(block)](block)


def _paragraph(block: Paragraph) -> Iterator[str]:
    text = _escaped(block.text)
    yield f"> {text}" if block.tone in _LOUD else text


def _bullets(block: Bullets) -> Iterator[str]:
    yield "\n".join(f"- {_escaped(item)}" for item in block.items)


def _table(block: Table) -> Iterator[str]:
    yield _escaped(block.caption)
    yield _grid(block.header, block.rows, block.numeric)


def _bars(block: Bars) -> Iterator[str]:
    yield _escaped(block.caption)
    yield _grid(("", ""), [(name, text) for name, text, _ in block.rows], (False, True))


def _cards(block: Cards) -> Iterator[str]:
    numbers = list(dict.fromkeys(name for card in block.cards for name, _ in card.numbers))
    rows = [
        [
            card.title,
            *(dict(card.numbers).get(name, "") for name in numbers),
            " ".join(filter(None, [card.flag, card.note])),
        ]
        for card in block.cards
    ]
    yield _grid(["scan", *numbers, "remark"], rows, [False, *[True] * len(numbers), False])


def _code(block: Code) -> Iterator[str]:
    yield _escaped(block.caption)
    yield "\n".join(f"    {line}" for line in block.text.splitlines())


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    rule = ["--:" if right else "---" for right in numeric]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [_cells(header), rule, *map(_cells, rows)])


def _cells(row: Sequence[str]) -> list[str]:
    return [_escaped(cell) for cell in row]


def _escaped(text: str) -> str:
    """Take the sense from whatever Markdown, or the HTML within it, would obey."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


_WRITERS: dict[type[Any], Callable[[Any], Iterator[str]]] = {
    Paragraph: _paragraph,
    Bullets: _bullets,
    Table: _table,
    Bars: _bars,
    Cards: _cards,
    Code: _code,
}
