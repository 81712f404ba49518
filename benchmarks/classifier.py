"""Training steps of the down-sampled baseline network (84 x 104 x 89, batch 8): a plain PyTorch loop, and ours.

The plain loop reads NIfTI files by nibabel in a DataLoader, without or with two worker processes, pads before it pools
and uses PyTorch's default Adam, as ClinicaDL does; synthetic scans are files to it, too, written beforehand.
Ours reads rows of a memory map, and decodes synthetic scans when a batch needs them, by the paper's decoders (random
weights, 1.6 GB for each of two diagnoses). All train with one thread, as each of our worker processes does; the
DataLoader's workers come on top.
"""

import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.outcome import Effort, Outcome
from benchmarks.timing import Timing, compare
from cohortsmith.config.classifier import Conv5FC3DownConfig
from cohortsmith.config.generator import NetworkConfig, VAEConfig
from cohortsmith.models.classifier import build_classifier
from cohortsmith.models.classifier_batches import BatchSource, Labelled, Latents, sample_from, source_of
from cohortsmith.models.classifier_decoding import Decode, decoder_of
from cohortsmith.models.fitted import FittedVAE
from cohortsmith.models.vae import VAE, Posterior

SHAPE = (84, 104, 89)
BATCH = 8
N_IMAGES = 24
N_LATENTS = 1000
TOGETHER = 2  # steps: of real + synthetic, those that share decoded blocks
TARGET = 3.0
# The paper's table: 20 runs each of real, 6 doses of synthetic alone, 6 of both (TPAMI 2022, section 4)
KINDS = {"real": 1, "synthetic": 6, "real + synthetic": 6}
RUNS = 20
STEPS, LOOKS, N_VALIDATION = 5000, 50, 112  # of a run; 60 controls and 52 patients validate


def run(effort: Effort) -> Iterator[Outcome]:
    """Time a step with either loader, and a look at the validation images."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield from _outcomes(Path(folder), effort)
    finally:
        torch.set_num_threads(threads)


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
    files = [folder / f"sub-{index:03d}.nii.gz" for index in range(N_IMAGES)]
    for file, image in zip(files, images, strict=True):
        nib.save(nib.Nifti1Image(image.numpy(), np.eye(4)), file)
    np.save(folder / "images.npy", images.numpy())
    return files, Labelled(folder / "images.npy", np.arange(N_IMAGES) % 2)


def _outcomes(folder: Path, effort: Effort) -> Iterator[Outcome]:
    files, data = write_scans(folder)
    times = _steps(files, data, effort)
    looks = _evaluations(data, effort)
    noisy = any(timing.contended for timing in (*times.values(), *looks.values()))
    ours = {kind: times[f"ours, {kind}"].seconds for kind in KINDS}
    table = _hours(ours, looks["ours"].seconds)
    for workers in ("no workers", "2 workers"):
        plain = times[f"plain, {workers}"].seconds
        name = workers.replace(" ", "_")
        for kind in KINDS:
            row = {label: str(times[label]) for label in (f"plain, {workers}", f"ours, {kind}")}
            yield Outcome(
                f"classifier_step_{kind.replace(' + ', '_and_')}_{name}", plain / ours[kind], TARGET, row, noisy
            )
        other = _hours(dict.fromkeys(KINDS, plain), looks["plain"].seconds)
        hours = {"plain": f"{other:.0f} h, {workers}", "ours": f"{table:.0f} h on one core"}
        yield Outcome(f"classifier_table_{name}", other / table, TARGET, hours, noisy)
    row = {label: str(timing) for label, timing in looks.items()}
    yield Outcome("classifier_evaluation", looks["plain"].seconds / looks["ours"].seconds, TARGET, row, noisy)


def _hours(steps: dict[str, float], look: float) -> float:
    """Extrapolate from seconds of a step of each kind, and of a look at a batch of validation images, to the table."""
    looking = LOOKS * N_VALIDATION / BATCH * look
    return sum(n * RUNS * (STEPS * steps[kind] + looking) for kind, n in KINDS.items()) / 3600


def _steps(files: list[Path], data: Labelled, effort: Effort) -> dict[str, Timing]:
    real, synthetic = source_of(data), source_of(random_latents())
    contestants = {
        "plain, no workers": plain_step(files, 0),
        "plain, 2 workers": plain_step(files, 2),
        "ours, real": our_step((real,)),
        "ours, synthetic": our_step((synthetic,)),
        "ours, real + synthetic": our_step((real, synthetic)),
    }
    times = compare({label: _together(step) for label, step in contestants.items()}, effort.repeats, effort.tries)
    return {label: timing._replace(seconds=timing.seconds / TOGETHER) for label, timing in times.items()}


def _together(step: Callable[[], object]) -> Callable[[], object]:
    def steps() -> None:
        for _ in range(TOGETHER):
            step()

    return steps


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


def _evaluations(data: Labelled, effort: Effort) -> dict[str, Timing]:
    images = source_of(data).images(np.arange(BATCH), torch.Generator())
    plain = plain_network().eval()
    ours = build_classifier(Conv5FC3DownConfig(), SHAPE, torch.Generator().manual_seed(0)).eval()
    with torch.inference_mode():
        return compare({"plain": lambda: plain(images), "ours": lambda: ours(images)}, effort.repeats, effort.tries)


def plain_step(files: list[Path], workers: int) -> Callable[[], object]:
    torch.manual_seed(0)
    network = plain_network().train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    loader = DataLoader(
        Scans(files), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0, drop_last=True
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
