"""Which scans must be prepared, and why; which results are reused."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.decisions import DROP, Decision
from cohortsmith.imaging.preparation_files import effective_parameters, kept_names, software_versions
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.template import template_identity

NEW = "new"
# In the order in which they are named when several hold.
_CAUSES = {
    "scan": "scan changed",
    "parameters": "parameters changed",
    "template": "template changed",
    "software": "software changed",
}
UNKNOWN, MISSING = "of unknown origin", "files missing"


class Plan(NamedTuple):
    """What the next step does.

    origins: key -> hashes of what the result is made from
    causes:  key -> why it is prepared (again)
    reused:  keys whose results stay
    gone:    keys whose results are removed
    dropped: key -> the person's decision that keeps it from being prepared
    """

    origins: dict[str, dict[str, str]]
    causes: dict[str, str]
    reused: list[str]
    gone: list[str]
    dropped: dict[str, Decision]

    def summary(self) -> dict[str, Any]:
        """Count: reused, prepared by cause, removed, not prepared because a person dropped them."""
        return {
            "reused": len(self.reused),
            "prepared": dict(Counter(self.causes.values()).most_common()),
            "removed": len(self.gone),
            "dropped": len(self.dropped),
        }


def make_plan(
    scans: Mapping[str, Stored],
    done: Mapping[str, Stored],
    decisions: Mapping[str, Decision],
    preparation: PreparationConfig,
) -> Plan:
    """Compare each result's origin with what it would be made from now.

    A scan that a person dropped is not prepared again, but its result stays to be looked at while it is current.
    """
    common = _common_origin(preparation)
    origins = {key: {"scan": scan.record["Fingerprint"], **common} for key, scan in scans.items()}
    causes = {
        key: cause for key, origin in origins.items() if (cause := why(done.get(key), origin, kept_names(preparation)))
    }
    dropped = {key: one for key, one in decisions.items() if one.decision == DROP and key in causes}
    outdated = [key for key in done if key not in origins or key in dropped]
    todo = {key: cause for key, cause in causes.items() if key not in dropped}
    return Plan(origins, todo, sorted(set(origins) - set(causes)), outdated, dropped)


def _common_origin(preparation: PreparationConfig) -> dict[str, str]:
    template = template_identity(preparation.template)["SHA256"] if preparation.kind == "volume" else ""
    return {
        "parameters": fingerprint(effective_parameters(preparation)),
        "template": template,
        "software": fingerprint(software_versions(preparation)),
    }


def why(done: Stored | None, origin: Mapping[str, str], kept: list[str]) -> str:
    """Say why a result must be made (again), or nothing if it is current."""
    if done is None:
        return NEW
    known = done.record.get("MadeFrom")
    if known is None:
        return UNKNOWN
    changed = [cause for part, cause in _CAUSES.items() if known.get(part) != origin[part]]
    if changed:
        return " and ".join(changed)
    return "" if set(kept) <= set(done.record["Kept"]) and _complete(done) else MISSING


def _complete(done: Stored) -> bool:
    scan = Path(done.path)
    return scan.is_file() and all(scan.with_name(name).is_file() for name in done.record.get("Files", ()))


def describe_plan(plan: Plan, role: str) -> str:
    """Say in one line what is reused, what is prepared and why."""
    counts = plan.summary()
    why_each = ", ".join(f"{count} {cause}" for cause, count in counts["prepared"].items())
    parts = [f"{counts['reused']} reused", f"{len(plan.causes)} to prepare" + (f" ({why_each})" if why_each else "")]
    parts += [f"{counts['removed']} removed"] * bool(counts["removed"])
    parts += [f"{counts['dropped']} dropped by a person"] * bool(counts["dropped"])
    return f"{role} scans: {', '.join(parts)}"
