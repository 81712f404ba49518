"""Traps: what archives really deliver, and what the rules make of it.

Source of the rules: the conversion of ADNI, AIBL and OASIS-1 in Clinica (Routier et al., 2021), version 0.4 for the
choice of the N3 image, as used by Chadebec et al., 2022, section 1.5.
"""

from typing import Any, Literal, NamedTuple


class Decision(NamedTuple):
    """What must become of one candidate: the rule's short name, the session and diagnosis if it is converted.

    candidate: the archive's own number; empty for something that has none.
    """

    candidate: str
    decision: Literal["convert", "reject"]
    rule: str
    session: str = ""
    diagnosis: str = ""


class Trap(NamedTuple):
    """Something an archive delivers that a converter can get wrong.

    lesson:   the rule in words
    subjects: who and what is delivered, as the archive's writer wants it
    expected: one decision per candidate
    """

    name: str
    lesson: str
    subjects: tuple[Any, ...]
    expected: tuple[Decision, ...]


class Expected(NamedTuple):
    """A decision before its candidate has a name."""

    decision: Literal["convert", "reject"]
    rule: str
    session: str = ""
    diagnosis: str = ""


def convert(rule: str, session: str = "M000", diagnosis: str = "CN") -> Expected:
    """Expect a candidate to be converted."""
    return Expected("convert", rule, session, diagnosis)


def reject(rule: str) -> Expected:
    """Expect a candidate to be set aside."""
    return Expected("reject", rule)
