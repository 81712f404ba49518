"""log p(x | z) from the features before the decoder's last, wide layer, and its score, in one pass over the voxels.

Both are closed forms of the logits, and so is the gradient of both. Nothing as large as a batch of images is kept
except the first and second derivatives by the logits, and the wide weight is read once where autograd would read it
twice: for a block of voxels, logits and score are computed while its rows are in the cache.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from cohortsmith.models.matrix_product import blocks, product
from cohortsmith.models.shared_weight import Accumulator, Contribution, SharedWeight

Kind = Literal["gaussian", "bernoulli"]


class VoxelTerms(NamedTuple):
    """Of one block of voxels: its sum per image (B,), first and second derivative by the logits, both (B, block)."""

    value: Tensor
    slope: Tensor
    curvature: Tensor


def log_likelihood(
    features: Tensor, wide: SharedWeight, bias: Tensor, images: Tensor, log_variance: Tensor, kind: Kind
) -> Tensor:
    """Give log p(x | z) of images (B, D) from features (B, H) with logits features W^T + bias: (B,).

    Gaussian: -|x - mu|^2 / (2 var) - D/2 log(2 pi var), mu the sigmoid of the logits, var per voxel. Bernoulli: the
    same mu as the probability. Differentiable once in weight, bias and log-variance, in the features twice: the
    backward pass with `create_graph` gives the score, whose derivative is exact, to the features alone.
    """
    value, score = _ValueAndScore.apply(  # type: ignore[no-untyped-call]
        features, wide.weight, bias, log_variance, images, kind, wide.gradient
    )
    result: Tensor = _WithScore.apply(value, features, score)  # type: ignore[no-untyped-call]
    return result


def gaussian_terms(logits: Tensor, images: Tensor) -> VoxelTerms:
    """Differentiate -|x - sigmoid(y)|^2 / 2 by the logits y (B, block), which it overwrites."""
    mean = logits.sigmoid_()
    error = images - mean
    value = -0.5 * torch.linalg.vector_norm(error, dim=1).square()
    spread = torch.addcmul(mean, mean, mean, value=-1)
    slope = error.mul_(spread)
    curvature = mean.mul_(-2).add_(1).mul_(slope).addcmul_(spread, spread, value=-1)
    return VoxelTerms(value, slope, curvature)


def bernoulli_terms(logits: Tensor, images: Tensor) -> VoxelTerms:
    """Differentiate x y - log(1 + e^y) by the logits y (B, block), which it overwrites."""
    value = (images * logits - torch.nn.functional.softplus(logits)).sum(1)
    mean = logits.sigmoid_()
    slope = images - mean
    return VoxelTerms(value, slope, mean.addcmul_(mean, mean, value=-1).neg_())


_TERMS: dict[Kind, Callable[[Tensor, Tensor], VoxelTerms]] = {
    "gaussian": gaussian_terms,
    "bernoulli": bernoulli_terms,
}


class _ValueAndScore(torch.autograd.Function):
    """log p(x | z) (B,) and its derivative by the features (B, H), the latter with its own exact backward."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        log_variance: Tensor,
        images: Tensor,
        kind: Kind,
        gradient: Accumulator,
    ) -> tuple[Tensor, Tensor]:
        value, score = features.new_zeros(len(features)), torch.zeros_like(features)
        terms = []
        for rows in blocks(weight):
            logits = product(features, weight[rows]).add_(bias[rows])
            terms.append(_TERMS[kind](logits, images[:, rows]))
            if any(ctx.needs_input_grad):
                score += product(terms[-1].slope, weight[rows].mT)
            value += terms[-1].value
        gaussian = kind == "gaussian"
        ctx.precision = torch.exp(-log_variance) if gaussian else torch.ones_like(log_variance)
        ctx.n_voxels, ctx.terms, ctx.gradient = images.shape[1] if gaussian else 0, terms, gradient
        value, score = value * ctx.precision, score.mul_(ctx.precision)
        ctx.save_for_backward(features, weight, value, score)
        ctx.set_materialize_grads(False)
        return value - 0.5 * ctx.n_voxels * (math.log(2 * math.pi) + log_variance), score

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, of_value: Tensor | None, of_score: Tensor | None) -> tuple[Tensor | None, ...]:
        if of_value is None and of_score is None:
            return (None,) * 7
        features, weight, value, score = ctx.saved_tensors
        terms, ctx.terms = ctx.terms, None  # overwritten below: there is no second backward pass
        of_value = torch.zeros_like(value) if of_value is None else of_value
        scaled = None if of_score is None else of_score * ctx.precision
        by_logits, by_features = _back_through(terms, weight, of_value * ctx.precision, scaled)
        by_features = of_value.unsqueeze(1) * score if by_features is None else by_features
        if ctx.needs_input_grad[1]:
            ctx.gradient.terms.append(Contribution(by_logits, features))
            if scaled is not None:
                ctx.gradient.terms.append(Contribution([term.slope for term in terms], scaled))
        by_bias = torch.cat([block.sum(0) for block in by_logits]) if ctx.needs_input_grad[2] else None
        by_log_variance = -(of_value * value).sum() - 0.5 * ctx.n_voxels * of_value.sum()
        if of_score is not None:
            by_log_variance = by_log_variance - (of_score * score).sum()
        return by_features, None, by_bias, by_log_variance if ctx.n_voxels else None, None, None, None


def _back_through(
    terms: list[VoxelTerms], weight: Tensor, of_value: Tensor, of_score: Tensor | None
) -> tuple[list[Tensor], Tensor | None]:
    """Give the cotangents of the logits, by blocks, and of the features unless they are those of the value alone."""
    column = of_value.unsqueeze(1)
    if of_score is None:
        return [column * term.slope for term in terms], None
    by_logits, by_features = [], torch.zeros_like(of_score)
    for rows, term in zip(blocks(weight), terms, strict=True):
        block = term.curvature.mul_(product(of_score, weight[rows])).addcmul_(column, term.slope)
        by_features += product(block, weight[rows].mT)
        by_logits.append(block)
    return by_logits, by_features


class _WithScore(torch.autograd.Function):
    """The value again; asked for the score (a backward pass with `create_graph`) it has it already."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, features: Tensor, score: Tensor) -> Tensor:
        ctx.save_for_backward(score)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (score,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, cotangents[0].unsqueeze(1) * score, None
        return cotangents[0], None, None
