"""Two RHVAE training steps of the paper's largest networks (1.09e9 parameters, batch 25): does it fit in 20 GB?

In a process of its own, which is killed before it drives the machine out of memory. Trained as `fit_vae` does, with
the weights to go back to in files.
"""

import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks import configurations
from benchmarks.configurations import Configuration
from benchmarks.outcome import Effort, Outcome
from cohortsmith.config.generator import TrainingConfig
from cohortsmith.models import learner

GB = 10**9
TARGET, LIMIT = 20 * GB, 21 * GB  # bytes at the peak; bytes at which the watchdog kills
STEPS = 2
LOOK_EVERY = 0.1  # seconds
OUTPUT = Path(__file__).resolve().parents[1] / "data" / "08_reporting" / "benchmarks"


def run(effort: Effort) -> Iterator[Outcome]:
    """Measure the peak once, however many repeats are wanted."""
    del effort
    available = _kilobytes(Path("/proc/meminfo"), "MemAvailable")
    if available < LIMIT:
        figures = {"memory available": f"{available / GB:.1f} GB, needs {LIMIT / GB:.0f} GB"}
        yield Outcome("memory_adni_paper", math.nan, 1.0, figures)
    else:
        yield watch("ADNI_PAPER")


def watch(name: str) -> Outcome:
    """Train the configuration of this name in a watched process."""
    command = [sys.executable, "-m", "benchmarks.memory", name, str(torch.get_num_threads())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        seen = _guard(process)
        told = process.stdout.read() if process.stdout else ""
    label = f"memory_{name.lower()}"
    if process.returncode:
        why = f"with status {process.returncode} at {seen / GB:.1f} GB (killed beyond {LIMIT / GB:.0f} GB)"
        return Outcome(label, 0.0, 1.0, {"ended": why})
    found = json.loads(told.splitlines()[-1])
    figures = {
        "parameters": f"{found['parameters']:.3g}",
        "peak": f"{found['peak'] / GB:.2f} GB",
        "of which before the first step": f"{found['before'] / GB:.2f} GB",
        "step": f"{found['seconds']:.1f} s",
    }
    return Outcome(label, TARGET / found["peak"], 1.0, figures)


def train(configuration: Configuration) -> dict[str, float]:
    """Take the steps; give the number of parameters, the peaks in bytes, and seconds per step."""
    images = configurations.draw_images(configuration._replace(batch=STEPS * configuration.batch)).numpy()
    model = configurations.build(configuration)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    # Not in the system's folder for temporary files, which may itself be memory.
    with tempfile.TemporaryDirectory(dir=OUTPUT) as folder:
        training = TrainingConfig(
            batch_size=configuration.batch, epochs=1, warm_up_epochs=0, max_rollbacks=0, maximum_residual=1e6
        )
        learning = learner.begin(model, training.learning_rate, Path(folder))
        learner.begin_main(learning)
        before, since_entered = _peak(), _time_from_entering(learning)
        learner.learn_epoch(learning, images, training, 0, torch.Generator().manual_seed(configurations.SEED))
        seconds = since_entered() / STEPS
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"parameters": parameters, "before": before, "peak": _peak(), "seconds": seconds}


def _time_from_entering(learning: learner.Learner) -> Callable[[], float]:
    """Start a clock when an epoch has stored its weights, which is no part of its steps."""
    began, enter = [0.0], learning.weights.enter

    def enter_and_start(model: torch.nn.Module) -> None:
        enter(model)
        began[0] = time.perf_counter()

    learning.weights.enter = enter_and_start
    return lambda: time.perf_counter() - began[0]


def _guard(process: subprocess.Popen[str]) -> int:
    """Wait for the process, and kill it beyond the limit; give the most bytes seen."""
    seen = 0
    while process.poll() is None:
        seen = max(seen, _kilobytes(Path(f"/proc/{process.pid}/status"), "VmRSS"))
        if seen > LIMIT:
            process.kill()
        time.sleep(LOOK_EVERY)
    return seen


def _kilobytes(file: Path, field: str) -> int:
    """Read one field of a file of /proc in bytes; 0 where it is not there (any more)."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    print(json.dumps(train(getattr(configurations, sys.argv[1]))))
