import json

import pytest
import torch
from safetensors.torch import load, save
from tiny_rhvae import BRIEF, TINY, draw_images

from cohortsmith.errors import ConfigurationError
from cohortsmith.models.checkpoint import from_checkpoint, to_checkpoint
from cohortsmith.models.fitted import decode
from cohortsmith.models.training import fit_vae


@pytest.fixture(scope="module")
def fitted():
    return fit_vae(draw_images(), TINY, BRIEF, seed=3)


def test_a_generator_survives_safetensors_and_json(fitted):
    tensors, plain = to_checkpoint(fitted)
    again = from_checkpoint(load(save(tensors)), json.loads(json.dumps(plain, allow_nan=False)))
    assert again._replace(state={}, codes=None, field=None) == fitted._replace(state={}, codes=None, field=None)
    assert all(torch.equal(*pair) for pair in zip(again.codes, fitted.codes, strict=True))
    torch.testing.assert_close(again.state, fitted.state, rtol=0, atol=0)
    assert again.field._replace(centroids=0, factors=0) == fitted.field._replace(centroids=0, factors=0)
    assert torch.equal(again.field.centroids, fitted.field.centroids)
    assert torch.equal(again.field.factors, fitted.field.factors)
    latents = torch.tensor([[0.3, -1.0]])
    assert torch.equal(decode(again, latents), decode(fitted, latents))


def test_every_tensor_is_contiguous_and_without_a_graph(fitted):
    transposed = fitted._replace(field=fitted.field._replace(factors=fitted.field.factors.mT))
    tensors, _ = to_checkpoint(transposed)
    assert all(tensor.is_contiguous() and not tensor.requires_grad for tensor in tensors.values())


def test_another_format_is_refused(fitted):
    tensors, plain = to_checkpoint(fitted)
    with pytest.raises(ConfigurationError, match="format 0"):
        from_checkpoint(tensors, plain | {"format": 0})


@pytest.mark.parametrize("missing", ["field.centroids", "state.encoder.mean.weight"])
def test_a_missing_tensor_is_named(fitted, missing):
    tensors, plain = to_checkpoint(fitted)
    del tensors[missing]
    with pytest.raises(ConfigurationError, match=missing.removeprefix("state.")):
        from_checkpoint(tensors, plain)


def test_tensors_of_another_size_are_refused(fitted):
    tensors, plain = to_checkpoint(fitted)
    with pytest.raises(ConfigurationError, match="size mismatch"):
        from_checkpoint(tensors, plain | {"image_shape": [4, 5, 4]})
