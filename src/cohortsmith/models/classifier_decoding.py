"""Synthetic images decoded when a classifier's batch needs them, the same bits whatever the batch."""

import json
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from cohortsmith.errors import CohortsmithError
from cohortsmith.models.checkpoint import from_checkpoint
from cohortsmith.models.fitted import FittedVAE, restore

Decode = Callable[[Tensor], Tensor]
"""Latent points (n, d) -> images (n, *shape) in [0, 1]."""

# Points decoded at once: the rounding of a matrix product depends on how many rows it has, and reading the weights
# takes as long for one row as for many (a third of the time of 4; 32 save a fifth and take twice the memory: measured).
BLOCK = 16
_ONE_THREAD = 2**14  # numbers that PyTorch never shares out among threads (it begins at 2**15)


@torch.no_grad()
def decode_in_blocks(decoder: Decode, points: Tensor) -> Tensor:
    """Decode points (n, d) into images (n, *shape), always `BLOCK` together, the last ones filled up with zeros.

    An image's bits then depend on its point alone.
    """
    missing = -len(points) % BLOCK
    filled = torch.cat([points, points.new_zeros(missing, points.shape[1])])
    blocks = [decoder(filled[start : start + BLOCK]) for start in range(0, len(filled), BLOCK)]
    return torch.cat(blocks)[: len(points)]


def decoder_of(fitted: FittedVAE) -> Decode:
    """Decode by a model in memory."""
    return partial(_decode, fitted)


def decoder_of_file(path: Path, mark: str) -> Decode:
    """Decode by a stored generator (safetensors, its description in JSON beside it); only path and mark travel.

    mark: the generator's fingerprint: a worker that outlives a run must not keep an earlier one under the same path.
    Worker processes map the file into memory, and so share its pages.
    Raises `CohortsmithError`, when something is decoded, if another generator lies there.
    """
    return partial(_decode_by_file, path, mark)


def _decode_by_file(path: Path, mark: str, points: Tensor) -> Tensor:
    return _decode(_load(path, mark), points)


def _decode(fitted: FittedVAE, points: Tensor) -> Tensor:
    logits = restore(fitted).decoder.decode(points)
    # A vectorised function rounds the end of an array, and of each thread's share, differently: the shares must not
    # depend on what else is in a block, nor on the number of threads.
    for image in logits:
        for share in image.split(_ONE_THREAD):
            share.sigmoid_()
    return logits.reshape(-1, *fitted.image_shape)


@lru_cache(maxsize=2)  # one generator per class
@torch.inference_mode(False)  # what is loaded while a network is tested must serve its training, too
def _load(path: Path, mark: str) -> FittedVAE:
    known = json.loads(path.with_suffix(".json").read_text())
    if known["provenance"]["fingerprint"] != mark:
        raise CohortsmithError(
            "another generator lies where one was expected",
            where=path.parent.name,
            got=str(known["provenance"]["fingerprint"]),
            expected=mark,
            remedy="run the whole chain again, and only once at a time",
        )
    return from_checkpoint(load_file(path), known["model"])
