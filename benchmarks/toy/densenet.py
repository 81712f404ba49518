"""The benchmark classifier: DenseNet of depth 20, growth 10, reduction 0.5 (thesis 1.8), on 28 x 28 images.

Trained for the same number of steps whatever the size of its training set, and kept at its best validation accuracy.
The thesis trains until the validation loss has not improved for 50 epochs, which is hours on two cores.
"""

from typing import NamedTuple

import torch
from monai.networks.nets import DenseNet
from torch import Tensor, nn

from benchmarks.toy.images import Labelled


class ClassifierSettings(NamedTuple):
    steps: int = 400
    batch: int = 100
    learning_rate: float = 1e-2
    weight_decay: float = 1e-4
    validate_every: int = 20


def train(data: Labelled, validation: Labelled, seed: int, settings: ClassifierSettings) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    network = build(generator)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps)
    images, labels = torch.from_numpy(data.images).unsqueeze(1), torch.from_numpy(data.labels)
    best, kept = -1.0, network.state_dict()
    batches = _batches(len(images), settings.batch, generator)
    for step in range(1, settings.steps + 1):
        rows = next(batches)
        loss = nn.functional.cross_entropy(network(_laid_out(images[rows])), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step > settings.steps // 2 and step % settings.validate_every == 0:
            found = accuracy(network, validation)
            if found >= best:
                best, kept = found, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)
    return network


@torch.no_grad()
def accuracy(network: nn.Module, data: Labelled) -> float:
    network.eval()
    images, labels = torch.from_numpy(data.images).unsqueeze(1), torch.from_numpy(data.labels)
    hits = sum(
        int((network(_laid_out(some)).argmax(1) == right).sum())
        for some, right in zip(images.split(500), labels.split(500), strict=True)
    )
    network.train()
    return hits / len(images)


def build(generator: torch.Generator) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        network = DenseNet(
            spatial_dims=2, in_channels=1, out_channels=10, init_features=20, growth_rate=10, block_config=(2, 2, 2)
        )
        # MONAI's stem is for photographs: it would leave 7 x 7 pixels to the first block
        network.features.conv0 = nn.Conv2d(1, 20, 3, padding=1, bias=False)
        network.features.pool0 = nn.Identity()
    return network.to(memory_format=torch.channels_last)


def _batches(n: int, size: int, generator: torch.Generator):
    while True:
        for rows in torch.randperm(n, generator=generator).split(min(size, n)):
            if len(rows) == min(size, n):
                yield rows


def _laid_out(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
