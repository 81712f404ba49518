"""The command that makes this run again, as typed but without paths, and the code it ran."""

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cohortsmith.tracking.flat_parameters import flatten_parameters

# Kedro's name of a choice -> the option that makes it; lists are joined by commas.
_OPTIONS = {
    "env": "--env",
    "pipeline_names": "--pipelines",
    "namespaces": "--namespaces",
    "tags": "--tags",
    "node_names": "--nodes",
    "from_nodes": "--from-nodes",
    "to_nodes": "--to-nodes",
    "from_inputs": "--from-inputs",
    "to_outputs": "--to-outputs",
    "runner": "--runner",
}
_DEFAULTS = {"env": "local", "pipeline_names": "__default__", "runner": "SequentialRunner"}


def exact_command(run_params: Mapping[str, Any]) -> str:
    """Write the `kedro run` command from Kedro's own record of the run (`run_params` of its hooks).

    A run-time parameter that is a path is shown as `(path)`.
    """
    words = ["kedro", "run"]
    for choice, option in _OPTIONS.items():
        value = _joined(run_params.get(choice))
        if value and value != _DEFAULTS.get(choice):
            words += [option, value]
    if run_params.get("only_missing_outputs"):
        words.append("--only-missing-outputs")
    given = flatten_parameters(run_params.get("runtime_params") or run_params.get("extra_params") or {})
    if given:
        words += ["--params", ",".join(f"{name}={value}" for name, value in given.items())]
    return shlex.join(words)


def code_facts() -> dict[str, str]:
    """Give the commit of the code and whether it was changed since (yes or no); empty text where there is no git."""
    # Installed below another project's checkout, the code is no part of it.
    if not _git("ls-files", "--", "__init__.py"):
        return {"commit": "", "code_changed": ""}
    changed = "yes" if _git("status", "--porcelain", "--untracked-files=no", "--", ".") else "no"
    return {"commit": _git("rev-parse", "HEAD"), "code_changed": changed}


def code_state() -> dict[str, str]:
    """Give tags for the commit of the code and whether it was changed since; nothing where there is no git."""
    commit, changed = code_facts().values()
    return {"mlflow.source.git.commit": commit, "code_changed_since_commit": changed} if commit else {}


def _joined(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple | set) else str(value or "")
    # Kedro names a runner by its repr: <kedro.runner.sequential_runner.SequentialRunner object at 0x...>
    return re.sub(r"^<(?:\w+\.)*(\w+) object at .*>$", r"\1", text)


def _git(*arguments: str) -> str:
    try:
        finished = subprocess.run(
            ["git", "-C", str(Path(__file__).parents[1]), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return finished.stdout.strip()
