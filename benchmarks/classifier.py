"""Training steps of the down-sampled baseline network (84 x 104 x 89, batch 8): a plain PyTorch loop, and ours.

The plain loop reads NIfTI files by nibabel in a DataLoader, without or with two worker processes, pads before it pools
and uses PyTorch's default Adam, as ClinicaDL does; synthetic scans are files to it, too, written beforehand.
Ours reads rows of a memory map, and decodes synthetic scans when a batch needs them, by the paper's decoders (random
weights, 1.6 GB for each of two diagnoses). All train with one thread, as each of our worker processes does; the
DataLoader's workers come on top.

`import cohortsmith` has PyTorch put large tensors into huge pages; a user of the plain loop has not asked for that. So
the target of 3 is against the plain loop without. Rows `..._huge_pages` are against the plain loop with them, for
honesty: what is left is not to be slower, a target of 1. PyTorch reads the setting once, hence each is timed in
processes of its own.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.outcome import QUICK, Effort, Outcome
from benchmarks.timing import Timing, compare
from cohortsmith.config.classifier import Conv5FC3DownConfig
from cohortsmith.config.generator import NetworkConfig, VAEConfig
from cohortsmith.models.classifier import build_classifier
from cohortsmith.models.classifier_batches import BatchSource, Labelled, Latents, sample_from, source_of
from cohortsmith.models.classifier_decoding import BLOCK, Decode, decoder_of
from cohortsmith.models.fitted import FittedVAE
from cohortsmith.models.vae import VAE, Posterior

SHAPE = (84, 104, 89)
BATCH = 8
N_IMAGES, EPOCH = 24, 20  # files, and how often each is in an epoch: loaders begin each one anew, cohorts are larger
N_LATENTS = 1000
TOGETHER = 4 * BLOCK // BATCH  # steps of real + synthetic that share a decoded block of each class
TARGET, TARGET_HUGE_PAGES = 3.0, 1.0  # against the plain loop without and with huge pages
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"
ROUNDS = 3  # of processes; one is enough to be quick
# The paper's table: 20 runs each of real, 6 doses of synthetic alone, 6 of both (TPAMI 2022, section 4)
KINDS = {"real": 1, "synthetic": 6, "real + synthetic": 6}
RUNS = 20
STEPS, LOOKS, N_VALIDATION = 5000, 50, 112  # of a run; 60 controls and 52 patients validate


class Group(NamedTuple):
    """What is timed in one process: "plain" or "ours", with large tensors in huge pages or not."""

    whose: str
    huge_pages: bool


PLAIN = (Group("plain", False), Group("plain", True))
OURS = Group("ours", True)
Times = dict[str, Timing]  # by loader or kind of images: of a step; by LOOK: of a look at a batch of validation images
LOOK = "look"
LOADERS = {"no workers": 0, "2 workers": 2}


def run(effort: Effort) -> Iterator[Outcome]:
    """Time a step with either loader, and a look at the validation images."""
    with tempfile.TemporaryDirectory() as folder:
        write_scans(Path(folder))
        times = _times(Path(folder), effort)
    for group in PLAIN:
        for loader in LOADERS:
            yield from _step_outcomes(times[group], times[OURS], loader, group)
            yield _table_outcome(times[group], times[OURS], loader, group)
        yield _look_outcome(times[group], times[OURS], group)


def outcome(name: str, measured: float, against: Group, figures: dict[str, str], contended: bool = False) -> Outcome:
    """Give the name and the target that fit the plain loop's pages."""
    suffix, target = ("_huge_pages", TARGET_HUGE_PAGES) if against.huge_pages else ("", TARGET)
    return Outcome(f"{name}{suffix}", measured, target, figures, contended)


@contextmanager
def huge_pages(wanted: bool) -> Iterator[None]:
    """Have the processes that are started meanwhile use huge pages, or not."""
    before = os.environ[HUGE_PAGES]  # set by `import cohortsmith`, if by nobody else
    os.environ[HUGE_PAGES] = str(int(wanted))
    try:
        yield
    finally:
        os.environ[HUGE_PAGES] = before


class PadMaxPool(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        padding = [side for n in reversed(images.shape[2:]) for side in (n % 2, 0)]
        return functional.max_pool3d(functional.pad(images, padding), 2)


class Scans(Dataset):
    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = torch.from_numpy(nib.load(self.files[index]).get_fdata(dtype=np.float32))
        low, high = image.min(), image.max()
        return ((image - low) / (high - low)).unsqueeze(0), index % 2


def plain_network() -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise((1, 8, 16, 32, 64, 128)):
        layers += [nn.Conv3d(before, after, 3, padding=1), nn.BatchNorm3d(after), nn.ReLU(), PadMaxPool()]
    head = [nn.Linear(4608, 350), nn.ReLU(), nn.Linear(350, 25), nn.ReLU(), nn.Linear(25, 2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), *head)


def write_scans(folder: Path) -> tuple[list[Path], Labelled]:
    """Write smooth blobs on an empty background, as compressed NIfTI and as one array."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(N_IMAGES, 1, 11, 13, 12, generator=random)
    images = functional.interpolate(coarse, SHAPE, mode="trilinear")[:, 0].sub(0.4).clamp(min=0)
    images /= images.amax((1, 2, 3), keepdim=True)
    for file, image in zip(_files(folder), images, strict=True):
        nib.save(nib.Nifti1Image(image.numpy(), np.eye(4)), file)
    np.save(folder / "images.npy", images.numpy())
    return _scans(folder)


def _scans(folder: Path) -> tuple[list[Path], Labelled]:
    return _files(folder), Labelled(folder / "images.npy", np.arange(N_IMAGES) % 2)


def _files(folder: Path) -> list[Path]:
    return [folder / f"sub-{index:03d}.nii.gz" for index in range(N_IMAGES)]


def _step_outcomes(plain: Times, ours: Times, loader: str, group: Group) -> Iterator[Outcome]:
    for kind in KINDS:
        name = f"classifier_step_{kind.replace(' + ', '_and_')}_{loader.replace(' ', '_')}"
        row = {f"plain, {loader}": plain[loader], f"ours, {kind}": ours[kind]}
        yield _ratio(name, row, group)


def _look_outcome(plain: Times, ours: Times, group: Group) -> Outcome:
    return _ratio("classifier_evaluation", {"plain": plain[LOOK], "ours": ours[LOOK]}, group)


def _ratio(name: str, row: Times, group: Group) -> Outcome:
    plain, ours = row.values()
    figures = {label: str(timing) for label, timing in row.items()}
    return outcome(name, plain.seconds / ours.seconds, group, figures, plain.contended or ours.contended)


def _table_outcome(plain: Times, ours: Times, loader: str, group: Group) -> Outcome:
    theirs = dict.fromkeys(KINDS, plain[loader]) | {LOOK: plain[LOOK]}
    other, own = _hours(theirs), _hours(ours)
    figures = {"plain": f"{other:.0f} h, {loader}", "ours": f"{own:.0f} h on one core"}
    noisy = any(timing.contended for timing in (*theirs.values(), *ours.values()))
    return outcome(f"classifier_table_{loader.replace(' ', '_')}", other / own, group, figures, noisy)


def _hours(times: Times) -> float:
    """Extrapolate from a step of each kind and a look at a batch of validation images to the table."""
    looking = LOOKS * N_VALIDATION / BATCH * times[LOOK].seconds
    return sum(n * RUNS * (STEPS * times[kind].seconds + looking) for kind, n in KINDS.items()) / 3600


def _times(folder: Path, effort: Effort) -> dict[Group, Times]:
    """Time the groups in turns: how fast a process is differs from one to the next, not only within one."""
    groups = (*PLAIN, OURS)
    count = 1 if effort == QUICK else ROUNDS
    rounds = [{group: _in_own_process(group, folder, effort) for group in groups} for _ in range(count)]
    return {group: _median([times[group] for times in rounds]) for group in groups}


def _median(rounds: list[Times]) -> Times:
    return {label: _median_timing([times[label] for times in rounds]) for label in rounds[0]}


def _median_timing(timings: list[Timing]) -> Timing:
    seconds = statistics.median(timing.seconds for timing in timings)
    contended = any(timing.contended for timing in timings)
    return Timing(seconds, sum(timing.n_repeats for timing in timings), contended)


def _in_own_process(group: Group, folder: Path, effort: Effort) -> Times:
    command = [sys.executable, "-m", "benchmarks.classifier", group.whose, str(folder), *map(str, effort)]
    with huge_pages(group.huge_pages):
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {label: Timing(**timing) for label, timing in json.loads(told.splitlines()[-1]).items()}


def _plain_times(folder: Path, effort: Effort) -> Times:
    files, data = _scans(folder)
    steps = {loader: plain_step(files, workers) for loader, workers in LOADERS.items()}
    return compare(steps, *effort) | compare({LOOK: _look(plain_network(), data)}, *effort)


def _our_times(folder: Path, effort: Effort) -> Times:
    _, data = _scans(folder)
    real, synthetic = source_of(data), source_of(random_latents())
    sources = {"real": (real,), "synthetic": (synthetic,), "real + synthetic": (real, synthetic)}
    times = compare({kind: _together(our_step(some)) for kind, some in sources.items()}, *effort)
    steps = {kind: timing._replace(seconds=timing.seconds / TOGETHER) for kind, timing in times.items()}
    network = build_classifier(Conv5FC3DownConfig(), SHAPE, torch.Generator().manual_seed(0))
    return steps | compare({LOOK: _look(network, data)}, *effort)


def _together(step: Callable[[], object]) -> Callable[[], object]:
    def steps() -> None:
        for _ in range(TOGETHER):
            step()

    return steps


def _look(network: nn.Module, data: Labelled) -> Callable[[], object]:
    images = source_of(data).images(np.arange(BATCH), torch.Generator())
    network.eval()

    def look() -> None:
        with torch.inference_mode():
            network(images)

    return look


def random_latents() -> Latents:
    """Give points of two generators of the paper's size that were never trained."""
    points = torch.randn(N_LATENTS, 10, generator=torch.Generator().manual_seed(0))
    return Latents(points, np.arange(N_LATENTS) % 2, (_random_decoder(1), _random_decoder(2)))


def _random_decoder(seed: int) -> Decode:
    config = VAEConfig(network=NetworkConfig(hidden=(500, 500, 400)))
    random = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in VAE(config, SHAPE).state_dict().items()}
    # What does not decode takes no memory, as in a file that is mapped and never read.
    state = {
        name: torch.empty(shape).uniform_(-0.05, 0.05, generator=random)
        if name.startswith("decoder")
        else torch.zeros(()).expand(shape)
        for name, shape in shapes.items()
    }
    return decoder_of(FittedVAE(config, SHAPE, state, Posterior(torch.empty(0, 10), torch.empty(0, 10)), None, ()))


def plain_step(files: list[Path], workers: int) -> Callable[[], object]:
    torch.manual_seed(0)
    network = plain_network().train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    loader = DataLoader(
        Scans(EPOCH * files), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0, drop_last=True
    )
    batches = _forever(loader)

    def step() -> None:
        images, labels = next(batches)
        optimizer.zero_grad()
        functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return step


def _forever(loader: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader


def our_step(sources: tuple[BatchSource, ...]) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    network = build_classifier(Conv5FC3DownConfig(), SHAPE, generator).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    sample_batch = sample_from(sources, BATCH)

    def step() -> None:
        images, labels = sample_batch(generator)
        loss = functional.cross_entropy(network(images, generator), labels)
        assert torch.isfinite(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    whose, place, *numbers = sys.argv[1:]
    torch.set_num_threads(1)
    timed = {"plain": _plain_times, "ours": _our_times}[whose](Path(place), Effort(*map(int, numbers)))
    print(json.dumps({label: timing._asdict() for label, timing in timed.items()}))
