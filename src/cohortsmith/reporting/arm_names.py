"""What the name of an arm says: which scans it was trained on, and how many of them were synthetic."""

import re
from typing import NamedTuple

REFERENCE, SYNTHETIC, ENLARGED = "real", "synthetic", "real+synthetic"

_DOSED = re.compile(r"^(?P<family>.+)-(?P<dose>\d+)$")


class ArmName(NamedTuple):
    """The kind of training data, and the number of synthetic scans per diagnosis where the name says it."""

    family: str
    dose: int | None = None


def read_arm(arm: str) -> ArmName:
    """Read `real+synthetic-500`; an arm of the only dose there is bears no number."""
    found = _DOSED.match(arm)
    return ArmName(found["family"], int(found["dose"])) if found else ArmName(arm)


def is_enlarged(arm: str) -> bool:
    """Say whether it is the arm that the study is about: real and synthetic scans, of any number."""
    return read_arm(arm).family == ENLARGED
