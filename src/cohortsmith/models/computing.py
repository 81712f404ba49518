"""Where a model is trained, and in which precision its wide matrix products are taken."""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cohortsmith.config.generator import TrainingConfig
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.networks import Decoder
from cohortsmith.models.objective import Noise
from cohortsmith.models.shared_weight import Accumulator, SharedWeight, apply_shared, share
from cohortsmith.models.vae import VAE

WIDE = (nn.Linear, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
HEADS = ("mean", "log_variance", "log_diagonal", "strictly_lower")  # small, and exponentials follow


def choose_device(training: TrainingConfig) -> torch.device:
    """Give the device that training asks for; `auto` is the GPU where there is one.

    Raises:
        ConfigurationError: `cuda` where torch sees no GPU.
    """
    available = torch.cuda.is_available()
    if training.device == "cuda" and not available:
        raise ConfigurationError(
            "there is no GPU to train on",
            where="parameters.training.device",
            got="cuda, and torch sees no CUDA device",
            expected="auto, cpu, or a machine with an NVIDIA GPU, its driver and a CUDA build of torch",
            remedy="set training.device to auto",
        )
    return torch.device("cuda" if available and training.device != "cpu" else "cpu")


def device_of(model: VAE) -> torch.device:
    """Give the device that a model's weights are on."""
    return model.log_variance.device


def move_noise(noise: Noise, device: torch.device) -> Noise:
    """Move noise, always drawn on the CPU so that a seed means the same everywhere."""
    return Noise(*(draws.to(device) for draws in noise))


@contextlib.contextmanager
def half_precision(model: VAE) -> Iterator[None]:
    """Take the wide matrix products of the networks in bfloat16 meanwhile; weights and results stay float32.

    The last layers of encoder and metric network stay float32 altogether: exponentials follow them.
    """
    wide = [layer for name, layer in model.named_modules() if isinstance(layer, WIDE) and _is_inner(name)]
    decoders = [model.decoder] if isinstance(model.decoder, Decoder) else []
    closed_form, model.closed_form = model.closed_form, False
    try:
        for layer in wide:
            layer.forward = partial(_rounded, layer.forward)  # type: ignore[method-assign]
        for decoder in decoders:
            decoder.forward = _Rounding(decoder)  # type: ignore[method-assign]
        yield
    finally:
        model.closed_form = closed_form
        for module in (*wide, *decoders):
            module.__dict__.pop("forward", None)


def _is_inner(name: str) -> bool:
    return name.rpartition(".")[2] not in HEADS


def _rounded(forward: Any, features: Tensor) -> Tensor:
    # No cache: each layer opens its own context, and a cached copy would outlive the optimiser's step.
    with torch.autocast(features.device.type, torch.bfloat16, cache_enabled=False):
        result: Tensor = forward(features)
    return result.float()


class _Rounding:
    """A decoder's forward whose last layer's weight, where one bound shares it, is rounded once per bound."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder, self._forward = decoder, decoder.forward
        self._bound: Accumulator | None = None
        self._rounded: SharedWeight | None = None

    def __call__(self, latents: Tensor, wide: SharedWeight | None = None) -> Tensor:
        if wide is None:
            return self._forward(latents)
        if self._rounded is None or self._bound is not wide.gradient:
            self._bound, self._rounded = wide.gradient, share(self._decoder.logits.weight.to(torch.bfloat16))
        features = self._decoder.trunk(latents).to(torch.bfloat16)
        return apply_shared(self._rounded, features).float() + self._decoder.logits.bias
