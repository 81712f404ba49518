"""The official BIDS validator, run on this machine without network."""

import json
import os
import subprocess
from importlib import import_module, resources
from pathlib import Path
from typing import Any, NamedTuple

from cohortsmith.errors import CohortsmithError

_TIME_LIMIT = 1800  # seconds


class Issue(NamedTuple):
    """What the validator found: severity is `error` or `warning`, location a path inside the dataset."""

    severity: str
    code: str
    location: str
    message: str


def validate_bids(root: Path) -> list[Issue]:
    """Validate a dataset, raw or derivative; errors first. Raises `CohortsmithError` if the validator cannot run.

    The validator is given the right to read, and none to use the network, to write or to run programs.
    """
    bundle = resources.files("bids_validator_deno") / "bids-validator.js"
    deno = os.fsdecode(import_module("deno").find_deno_bin())
    rights = ["--no-prompt", "--no-remote", "--allow-read", "--allow-env"]
    command = [deno, "run", *rights, str(bundle), "--format", "json", str(root)]
    environment = os.environ | {"DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=_TIME_LIMIT, check=False)
        found = json.loads(done.stdout)["issues"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        raise CohortsmithError(
            "the BIDS validator did not answer",
            got=type(error).__name__,
            expected="a report in JSON",
            remedy="reinstall bids-validator-deno",
        ) from None
    issues = [_issue(one, found.get("codeMessages", {})) for one in found["issues"]]
    return sorted(issues, key=lambda issue: (issue.severity != "error", issue.code, issue.location))


def _issue(one: dict[str, Any], messages: dict[str, str]) -> Issue:
    code = one["code"]
    detail = " ".join(str(one.get(name, "")) for name in ("subCode", "issueMessage")).strip()
    text = " ".join(f"{messages.get(code, '')} {detail}".split())
    return Issue(one.get("severity", "warning"), code, one.get("location", ""), text)
