"""Names, folders and metadata files of the Brain Imaging Data Structure (BIDS 1.10)."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from cohortsmith.errors import StudyError
from cohortsmith.imaging.atomic_write import write_bytes, write_json
from cohortsmith.imaging.free_text import plain_text
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
# The longest text of a DICOM element such as Manufacturer (PS3.5, LO).
_LONGEST_TEXT = 64
_LONGEST_SIDECAR = 1 << 20
# File names may have 255 bytes, and more than the labels stands in them.
_LONGEST_LABEL = 64
_FEW_CLASHES = 10
_KEY = re.compile(r"sub-([a-zA-Z0-9]+)_ses-([a-zA-Z0-9]+)")


class Entities(NamedTuple):
    """Alphanumeric labels of a subject and a session, without `sub-` and `ses-`."""

    subject: str
    session: str


def alphanumeric(identifier: str) -> str:
    """Strip `sub-` or `ses-` and every character BIDS forbids in a label."""
    return re.sub(r"[^a-zA-Z0-9]", "", re.sub(r"^(sub|ses)-", "", identifier.strip()))


def scan_key(participant: str, session: str = "") -> str:
    """Give `sub-X_ses-Y`; raise `StudyError` for an identifier without any letter or digit, or too long for a name."""
    subject, visit = alphanumeric(participant), alphanumeric(session) or ONLY_SESSION
    if not subject:
        raise StudyError(
            "a participant's identifier has no letter or digit",
            got=repr(participant),
            expected="an identifier such as 0012",
            remedy="correct the participant column of the study's table",
        )
    if max(len(subject), len(visit)) > _LONGEST_LABEL:
        raise StudyError(
            "an identifier of a participant or session is too long for the name of a file",
            got=f"{max(len(subject), len(visit))} letters and digits",
            expected=f"at most {_LONGEST_LABEL}",
            remedy="see whether the columns of the study's table are named rightly",
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
            got="; ".join(clashes[:_FEW_CLASHES]),
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
    """Keep what BIDS recommends and no person can be found by: short texts and finite numbers; the rest is dropped."""
    return {name: _kept(sidecar[name]) for name in SIDECAR_FIELDS if _is_kept(sidecar.get(name))}


def _is_kept(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST_TEXT
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _kept(value: str | float) -> str | float:
    return plain_text(value) if isinstance(value, str) else value


def read_sidecar(path: Path) -> dict[str, Any]:
    """Read what may be kept of a sidecar; nothing of one that is absent or broken: no step needs it."""
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST_SIDECAR:
            return {}
        # Converters copy text from headers as it is, whatever its encoding.
        fields = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept_fields(fields) if isinstance(fields, dict) else {}


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
