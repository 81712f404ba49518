"""Validate the judge: `python -m benchmarks.judge_validation [--quick]`."""

import sys

from benchmarks.judge_validation.experiment import main

if __name__ == "__main__":
    sys.exit(main())
