"""Plain values that travel between the science, the pipelines, the tracker and the report."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class TrackedRun(NamedTuple):
    """One child run for the tracker: a generator's or a classifier's training.

    params, metrics, tags: flat. curves: name -> one value per step. figures: file name -> PNG bytes.
    """

    name: str
    params: dict[str, Any]
    metrics: dict[str, float]
    curves: dict[str, list[float]]
    tags: Mapping[str, str] = {}
    figures: Mapping[str, bytes] = {}


class Rejection(NamedTuple):
    """A scan that was set aside: a pseudonymous key (empty where it has none), the step that refused it, the reason.

    candidate: name of the delivered scan in the ledger. rule: short name of the rule, such as adni.failed_quality.
    """

    key: str
    step: str
    reason: str
    candidate: str = ""
    rule: str = ""
