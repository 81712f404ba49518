"""Adam within the backward pass: each parameter is updated as soon as its gradient is complete, which is then freed.

Weights, two moments and all gradients of 1.09e9 parameters would be 17.4 GB; with one gradient at a time it is
13.1 GB and the largest layer's gradient.
"""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

import torch
from torch import Tensor


class OptimizerInBackward(AbstractContextManager["OptimizerInBackward"]):
    """Within it, `loss.backward()` also steps the optimizer, parameter by parameter.

    The updates are those of `optimizer.step()` after the backward pass, bit for bit. A gradient that is not finite
    stops every update from there on; parameters further from the loss are then left as they were, those already
    updated are not: the caller goes back to kept weights, as after any divergence. wrong: parameters with such
    gradients.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._parameters: list[Tensor] = [one for group in optimizer.param_groups for one in group["params"]]
        self.wrong: list[Tensor] = []

    def __enter__(self) -> Self:
        self._optimizer.zero_grad(set_to_none=True)
        self._handles = [
            one.register_post_accumulate_grad_hook(self._update)  # type: ignore[no-untyped-call]
            for one in self._parameters
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _update(self, parameter: Tensor) -> None:
        gradient = parameter.grad
        if gradient is None:
            return
        # The norm, not isfinite(): no mask as large as the layer; and an overflowing norm is divergence too.
        if not torch.linalg.vector_norm(gradient).isfinite():
            self.wrong.append(parameter)
        if not self.wrong:
            self._optimizer.step()  # of this parameter alone: no other has a gradient now
        parameter.grad = None
