"""What a benchmark is asked for and what it gives back."""

from typing import NamedTuple


class Effort(NamedTuple):
    """Quiet repeats wanted, and rounds after which to give up waiting for them."""

    repeats: int
    tries: int


QUICK, FULL = Effort(2, 3), Effort(5, 12)


class Outcome(NamedTuple):
    """One target: what was measured, what is wanted, the figures behind it, and if others disturbed it.

    measured: bigger is better; NaN where it could not be measured, and then the figures say why.
    """

    name: str
    measured: float
    target: float
    figures: dict[str, str]
    contended: bool = False
