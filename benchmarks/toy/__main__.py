"""Run the toy experiments: `python -m benchmarks.toy [likelihood clustering generation]`."""

import sys

from benchmarks.toy.experiments import main

if __name__ == "__main__":
    sys.exit(main())
