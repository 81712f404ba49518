"""Peak memory of drawing, decoding and storing 100, 10 000 and 100 000 synthetic images: does it stay flat?

Through the pipeline's own nodes and datasets, each number of draws in a process of its own. Pages of the file of images
that are mapped into memory are not counted: the system takes them back whenever it wants.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.outcome import Effort, Outcome
from cohortsmith.config.generator import NetworkConfig, RHVAEConfig, SamplerConfig, TrainingConfig
from cohortsmith.datasets.image_stack import ImageStack
from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.training import fit_vae
from cohortsmith.pipelines.augment.nodes import decode_latent_points, draw_latent_points, write_synthetic_scans

MB = 10**6
DRAWS = (100, 10_000, 100_000)
WRITTEN_AS_SCANS = 1_000  # at most: two files each that wait for the disk, and all go the same way
SIDE = 12  # of the images; 100 000 of them are 690 MB
GROWTH = 1.2  # the most that the peak may grow by, from the fewest draws to the most
LOOK_EVERY = 0.01  # seconds
OUTPUT = Path(__file__).resolve().parents[1] / "data" / "08_reporting" / "benchmarks"


def run(effort: Effort) -> Iterator[Outcome]:
    """Measure each peak once, however many repeats are wanted."""
    del effort
    peaks = {n: _in_own_process(n) for n in DRAWS}
    figures = {f"{n} draws": f"{peak / MB:.0f} MB" for n, peak in peaks.items()}
    figures["images of the most draws"] = f"{4 * SIDE**3 * DRAWS[-1] / MB:.0f} MB"
    yield Outcome("memory_of_decoding", GROWTH * peaks[DRAWS[0]] / peaks[DRAWS[-1]], 1.0, figures)


def draw_and_store(n: int, folder: Path) -> None:
    """Draw n latent points, decode them into one file, and write scans from that."""
    generator, images = _trained(), ImageStack(filepath=str(folder / "images.npy"))
    scans = RecordFolder(filepath=str(folder / "bids"), name="<subject>/<key>")
    latents, _ = draw_latent_points(generator, SamplerConfig(n_samples=n, n_steps=8, n_leapfrog=2), 0)
    images.save(decode_latent_points(generator, latents))
    grid = np.eye(4).tolist()
    written = latents[:WRITTEN_AS_SCANS]
    screened = written[["key"]].assign(flagged=False)
    for part in write_synthetic_scans(generator, written, images.load(), grid, 0, screened, {}, {}):
        scans.save(part)


def _trained() -> TrainedGenerator:
    config = RHVAEConfig(latent_dim=3, step_size=1e-3, network=NetworkConfig(hidden=(32,), metric_hidden=(16,)))
    training = TrainingConfig(epochs=2, warm_up_epochs=1, device="cpu")
    images = np.random.default_rng(0).random((20, SIDE, SIDE, SIDE), dtype=np.float32)
    return TrainedGenerator(fit_vae(images, config, training, 0), "CN", (), "benchmark", 0)


def _in_own_process(n: int) -> int:
    command = [sys.executable, "-m", "benchmarks.decoding_memory", str(n)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(json.loads(told.splitlines()[-1])["peak"])


class _Watch(threading.Thread):
    """Remember the most bytes of memory that belong to this process alone."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, _own_bytes())
            time.sleep(LOOK_EVERY)


def _own_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    watch = _Watch()
    watch.start()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    # Not in the system's folder for temporary files, which may itself be memory.
    with tempfile.TemporaryDirectory(dir=OUTPUT) as place:
        draw_and_store(int(sys.argv[1]), Path(place))
    print(json.dumps({"peak": watch.peak}))
