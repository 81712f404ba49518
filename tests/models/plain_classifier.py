"""The convolutional classifiers layer by layer, as one would write them: what the fast ones must equal."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from cohortsmith.models.classifier import Classifier
from cohortsmith.models.classifier_architectures import Architecture

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
ACTIVATION = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU}


class PadMaxPool(nn.Module):
    """A zero plane on the low side of odd axes, then max pooling by 2."""

    def __init__(self, rounds_up: bool) -> None:
        super().__init__()
        self.rounds_up = rounds_up

    def forward(self, images: Tensor) -> Tensor:
        padding = [side for n in reversed(images.shape[2:]) for side in (n % 2 * self.rounds_up, 0)]
        pool = {4: functional.max_pool2d, 5: functional.max_pool3d}[images.ndim]
        return pool(functional.pad(images, padding), 2)


def plain_classifier(architecture: Architecture, dimension: int, n_features: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = 1
    for block, stride in zip(architecture.blocks, architecture.strides, strict=True):
        strides = [1] * (len(block) - 1) + [stride]
        for channels, own in zip(block, strides, strict=True):
            convolution = CONVOLUTION[dimension](width, channels, 3, stride=own, padding=architecture.padding)
            layers += [convolution, NORM[dimension](channels), ACTIVATION[architecture.activation]()]
            width = channels
        layers.append(PadMaxPool(architecture.rounds_up))
    layers.append(nn.Flatten())
    for channels in architecture.dense:
        layers += [nn.Linear(n_features, channels), ACTIVATION[architecture.dense_activation]()]
        n_features = channels
    return nn.Sequential(*layers, nn.Linear(n_features, 2))


def randomise(network: Classifier, generator: torch.Generator) -> Classifier:
    """Give the norms scales and shifts of both signs, and switch dropout off."""
    for name, parameter in network.named_parameters():
        if ".norm." in name:
            nn.init.normal_(parameter, generator=generator)
    network.dropout = 0.0
    return network


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    for from_source, to_target in zip(source.parameters(), target.parameters(), strict=True):
        to_target.data.copy_(from_source.data)
