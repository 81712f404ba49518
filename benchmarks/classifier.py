"""One training step of the down-sampled baseline network (84 x 104 x 89, batch 8): a plain PyTorch loop, and ours.

The plain loop reads NIfTI files by nibabel in a DataLoader, without or with two worker processes, pads before it pools
and uses PyTorch's default Adam, as ClinicaDL does. Ours reads rows of a memory map. Both train with one thread, as each
of our worker processes does; the DataLoader's workers come on top.
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
from cohortsmith.models.classifier import build_classifier
from cohortsmith.models.classifier_batches import Labelled, sample_from, source_of

SHAPE = (84, 104, 89)
BATCH = 8
N_IMAGES = 24
RUNS = 20 * 13  # the paper's table: 20 runs of real, 6 doses of synthetic alone, 6 of both
TARGET = 3.0


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
    times = compare(
        {
            "plain, no workers": _plain_step(files, 0),
            "plain, 2 workers": _plain_step(files, 2),
            "ours": _our_step(data),
        },
        effort.repeats,
        effort.tries,
    )
    ours = times["ours"].seconds
    row = {label: str(timing) for label, timing in times.items()} | {"per 1000 steps of 20 x 13 runs": _hours(ours)}
    noisy = any(timing.contended for timing in times.values())
    for workers in ("no workers", "2 workers"):
        name = f"classifier_step_{workers.replace(' ', '_')}"
        yield Outcome(name, times[f"plain, {workers}"].seconds / ours, TARGET, row, noisy)
    yield _evaluation(data, effort)


def _hours(seconds: float) -> str:
    return f"{RUNS * 1000 * seconds / 3600 / 2:.0f} h, two at a time"


def _evaluation(data: Labelled, effort: Effort) -> Outcome:
    images = source_of(data).images(np.arange(BATCH), torch.Generator())
    plain = plain_network().eval()
    ours = build_classifier(Conv5FC3DownConfig(), SHAPE, torch.Generator().manual_seed(0)).eval()
    with torch.inference_mode():
        times: dict[str, Timing] = compare(
            {"plain": lambda: plain(images), "ours": lambda: ours(images)}, effort.repeats, effort.tries
        )
    row = {label: str(timing) for label, timing in times.items()}
    noisy = any(timing.contended for timing in times.values())
    return Outcome("classifier_evaluation", times["plain"].seconds / times["ours"].seconds, TARGET, row, noisy)


def _plain_step(files: list[Path], workers: int) -> Callable[[], object]:
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


def _our_step(data: Labelled) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    network = build_classifier(Conv5FC3DownConfig(), SHAPE, generator).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    sample_batch = sample_from((source_of(data),), BATCH)

    def step() -> None:
        images, labels = sample_batch(generator)
        loss = functional.cross_entropy(network(images, generator), labels)
        assert torch.isfinite(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step
