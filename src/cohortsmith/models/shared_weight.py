"""A wide matrix used many times in one differentiable flow, whose gradient is summed at once.

The exact gradient of a K-step flow sends 2 (K + 1) contributions to the decoder's last layer, each as large as the
layer. Autograd would make and add them one by one, which is over half of a training step; here their factors are
kept, and one matrix product over all of them, taken by blocks, makes the sum.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from cohortsmith.models.matrix_product import blocks, product


class Contribution(NamedTuple):
    """One term left^T right of a gradient (out, in): left (B, out) by blocks of its columns, right (B, in)."""

    left: list[Tensor]
    right: Tensor


class Accumulator:
    """The terms of a weight's gradient (out, in) that a backward pass has met so far."""

    def __init__(self, weight: Tensor) -> None:
        self.rows, self.shape = blocks(weight), weight.shape
        self.terms: list[Contribution] = []

    def add(self, left: Tensor, right: Tensor) -> None:
        """Add left^T right: (B, out), (B, in)."""
        self.terms.append(Contribution([left[:, rows] for rows in self.rows], right))

    def collect(self) -> Tensor | None:
        """Give the sum (out, in) and forget its terms; None if there are none."""
        if not self.terms:
            return None
        terms, self.terms = self.terms, []
        right = torch.cat([term.right for term in terms])
        total = right.new_empty(self.shape)
        for number, rows in enumerate(self.rows):
            left = torch.cat([term.left[number] for term in terms])
            total[rows] = product(left.mT, right.mT)
        return total


class SharedWeight(NamedTuple):
    """A weight (out, in) bound to the accumulator of one bound; make a new one for each."""

    weight: Tensor
    gradient: Accumulator


def share(weight: Tensor) -> SharedWeight:
    """Prepare a weight (out, in) for many uses within one bound; outside grad mode it asks for no gradient."""
    gradient = Accumulator(weight)
    return SharedWeight(_applied(_Collect, weight if torch.is_grad_enabled() else weight.detach(), gradient), gradient)


def apply_shared(shared: SharedWeight, features: Tensor) -> Tensor:
    """Give x W^T: (B, in) -> (B, out). Twice differentiable in x; in W by one ordinary backward pass."""
    return _applied(_Times, features, *shared)


class _Collect(torch.autograd.Function):
    """Identity; autograd reaches its backward after every use's, and there it hands the sum over."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, gradient: Accumulator) -> Tensor:
        ctx.gradient = gradient
        ctx.set_materialize_grads(False)
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, None]:
        return ctx.gradient.collect(), None


class _Times(torch.autograd.Function):
    """Y = x W^T."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, gradient: Accumulator) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.gradient = gradient
        return product(features, weight)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor, None, None]:
        features, weight = ctx.saved_tensors
        _contribute(ctx, cotangents[0], features)
        return _applied(_TimesTransposed, cotangents[0], weight, ctx.gradient), None, None


class _TimesTransposed(torch.autograd.Function):
    """X = y W, the backward of `_Times`, differentiable in its turn."""

    @staticmethod
    def forward(ctx: Any, cotangent: Tensor, weight: Tensor, gradient: Accumulator) -> Tensor:
        ctx.save_for_backward(cotangent, weight)
        ctx.gradient = gradient
        return product(cotangent, weight.mT)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor, None, None]:
        cotangent, weight = ctx.saved_tensors
        _contribute(ctx, cotangent, cotangents[0])
        return _applied(_Times, cotangents[0], weight, ctx.gradient), None, None


def _contribute(ctx: Any, left: Tensor, right: Tensor) -> None:
    # With create_graph (the score inside the flow) the gradient of the weight is not what is being asked for.
    if ctx.needs_input_grad[1] and not torch.is_grad_enabled():
        ctx.gradient.add(left, right)


def _applied(function: type[torch.autograd.Function], *arguments: Tensor | Accumulator) -> Tensor:
    result: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    return result
