import os
import subprocess
import sys

import pytest

from cohortsmith.run_lock import RunInProgressError, acquire_lock

TRY = (
    "import sys, pathlib\nfrom cohortsmith.run_lock import *\n"
    "try: acquire_lock(pathlib.Path(sys.argv[1]))\nexcept RunInProgressError as e: print(e); sys.exit(e.exit_code)"
)


def test_a_second_run_leaves_at_once_and_names_the_owner(tmp_path):
    with acquire_lock(tmp_path / "lock"):
        second = subprocess.run(
            [sys.executable, "-c", TRY, str(tmp_path / "lock")], capture_output=True, text=True, check=False
        )

    assert second.returncode == 75
    assert f"process {os.getpid()}" in second.stdout


def test_the_lock_is_free_again_once_released(tmp_path):
    acquire_lock(tmp_path / "lock").close()

    acquire_lock(tmp_path / "lock").close()


def test_the_same_process_cannot_take_it_twice(tmp_path):
    with acquire_lock(tmp_path / "lock"), pytest.raises(RunInProgressError):
        acquire_lock(tmp_path / "lock")
