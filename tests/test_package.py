"""What importing the package decides before any library below it is imported."""

import os
import subprocess
import sys

import pytest

SHOW = "import os, sys, cohortsmith; print(os.environ['THP_MEM_ALLOC_ENABLE'], 'torch' in sys.modules)"


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"THP_MEM_ALLOC_ENABLE": "0"}, "0")])
def test_large_tensors_lie_in_huge_pages_unless_the_user_says_otherwise(given, expected) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env=inherited | given, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [expected, "False"]  # PyTorch reads it when it makes its first tensor


def test_no_library_reports_its_use() -> None:
    import cohortsmith  # noqa: F401, PLC0415

    assert os.environ["DO_NOT_TRACK"] == os.environ["KEDRO_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
