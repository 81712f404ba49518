"""Names, folders and metadata files of the Brain Imaging Data Structure (BIDS 1.10)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from cohortsmith.errors import StudyError
from cohortsmith.imaging.atomic_write import write_bytes, write_json
from cohortsmith.imaging.volume import Volume, write_volume

BIDS_VERSION = "1.10.0"
# Label of the only session of a study that does not number its visits.
ONLY_SESSION = "01"
# All that is kept of a converter's or a foreign dataset's sidecar: physics and the make of the scanner.
SIDECAR_FIELDS = (
    "Manufacturer",
    "ManufacturersModelName",
    "MagneticFieldStrength",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "FlipAngle",
)
_KEY = re.compile(r"sub-([a-zA-Z0-9]+)_ses-([a-zA-Z0-9]+)")


class Entities(NamedTuple):
    """Alphanumeric labels of a subject and a session, without `sub-` and `ses-`."""

    subject: str
    session: str


def alphanumeric(identifier: str) -> str:
    """Strip `sub-` or `ses-` and every character BIDS forbids in a label."""
    return re.sub(r"[^a-zA-Z0-9]", "", re.sub(r"^(sub|ses)-", "", identifier.strip()))


def scan_key(participant: str, session: str = "") -> str:
    """Give `sub-X_ses-Y`; raise `StudyError` for an identifier without any letter or digit."""
    subject, visit = alphanumeric(participant), alphanumeric(session) or ONLY_SESSION
    if not subject:
        raise StudyError(
            "a participant's identifier has no letter or digit",
            got=repr(participant),
            expected="an identifier such as 0012",
            remedy="correct the participant column of the study's table",
        )
    return f"sub-{subject}_ses-{visit}"


def entities(key: str) -> Entities:
    """Take a key apart; raise `ValueError` if it is none."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise ValueError(f"not a BIDS key sub-X_ses-Y: {key!r}")
    return Entities(match[1], match[2])


def require_distinct_subjects(participants: Iterable[str]) -> None:
    """Raise `StudyError` naming identifiers that would become one BIDS subject (A-1 and A1)."""
    origins: dict[str, set[str]] = defaultdict(set)
    for participant in participants:
        origins[alphanumeric(participant).casefold()].add(participant)
    clashes = [" and ".join(sorted(names)) for names in origins.values() if len(names) > 1]
    if clashes:
        raise StudyError(
            "different participants would get the same BIDS name",
            got="; ".join(clashes),
            expected="identifiers that differ in letters and digits",
            remedy="rename them in the study's table",
        )


def raw_path(root: Path, key: str) -> Path:
    """Give the place of a raw T1w scan."""
    return _folder(root, key) / f"{key}_T1w.nii.gz"


def derivative_path(root: Path, key: str, *, space: str = "", description: str = "") -> Path:
    """Give the place of a derived T1w scan, with entities `space-` and `desc-` where given."""
    extra = "".join(f"_{name}-{value}" for name, value in (("space", space), ("desc", description)) if value)
    return _folder(root, key) / f"{key}{extra}_T1w.nii.gz"


def _folder(root: Path, key: str) -> Path:
    subject, session = entities(key)
    return root / f"sub-{subject}" / f"ses-{session}" / "anat"


def sidecar_path(scan: Path) -> Path:
    """Give the JSON file beside a scan."""
    return scan.with_name(scan.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def kept_fields(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what BIDS recommends and no person can be found by; everything else is dropped."""
    return {name: sidecar[name] for name in SIDECAR_FIELDS if name in sidecar}


def write_raw_scan(root: Path, key: str, volume: Volume, sidecar: Mapping[str, Any] | None = None) -> Path:
    """Write one raw scan and its sidecar; give the scan's path."""
    path = raw_path(root, key)
    write_volume(path, volume, f"{key} raw")
    write_json(sidecar_path(path), kept_fields(sidecar or {}))
    return path


def write_derivative_scan(
    root: Path,
    key: str,
    volume: Volume,
    *,
    space: str = "",
    description: str = "",
    sidecar: Mapping[str, Any] | None = None,
) -> Path:
    """Write one derived scan and its sidecar; give the scan's path."""
    path = derivative_path(root, key, space=space, description=description)
    write_volume(path, volume, f"{key} {description}".strip())
    write_json(sidecar_path(path), dict(sidecar or {}))
    return path


def write_dataset_description(
    root: Path,
    name: str,
    *,
    derivative: bool = False,
    description: str = "",
    sources: tuple[str, ...] = (),
    links: Mapping[str, str] | None = None,
) -> None:
    """Write dataset_description.json and README, raw or derivative, naming cohortsmith as the generator.

    sources: BIDS URIs or paths, relative to the dataset, of what it was derived from.
    links: dataset name of a BIDS URI -> where that dataset lies.
    """
    generator = {"Name": "cohortsmith", "Version": version("cohortsmith")}
    content: dict[str, Any] = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative" if derivative else "raw",
        "GeneratedBy": [generator | ({"Description": description} if description else {})],
    }
    if sources:
        content["SourceDatasets"] = [{"URL": source} for source in sources]
    if links:
        content["DatasetLinks"] = dict(links)
    write_json(root / "dataset_description.json", content)
    kind = "Derived from a BIDS dataset" if derivative else "Converted to BIDS"
    text = f"# {name}\n\n{kind} by cohortsmith {generator['Version']}.\n\n{description}\n"
    write_bytes(root / "README.md", (text.rstrip() + "\n").encode())
