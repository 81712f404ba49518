"""Text that others wrote, before it is written or shown: on one line, printable, and no formula."""

import re

# What spreadsheets take for the beginning of a formula (OWASP, CSV Injection).
_FORMULA = re.compile(r"[=+\-@]")
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)


def plain_text(text: str) -> str:
    """Put text on one line, a question mark for every character that cannot be printed."""
    return "".join(mark if mark.isprintable() else "?" for mark in " ".join(text.split()))


def is_formula(text: str) -> bool:
    """Say whether a spreadsheet would take a cell for a formula: it begins like one, and is more than a number."""
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)
