"""The numbers of a Hamiltonian flow, fixed by the configuration or learned with the weights."""

import math

import torch
from torch import Tensor, nn

from cohortsmith.core.riemannian import Integrator


class FlowSettings(nn.Module):
    """The learned ones among temperature, regularization, step_size (by logarithm) and sqrt_beta_zero (by logit)."""

    def __init__(self, learned: tuple[str, ...]) -> None:
        super().__init__()
        self.free = nn.ParameterDict({name: nn.Parameter(torch.empty(())) for name in learned})

    def get(self, name: str, fixed: float) -> float | Tensor:
        """Give the learned value of `name` (0-d), or `fixed` where it is not learned."""
        if name not in self.free:
            return fixed
        value: Tensor = self.free[name].sigmoid() if name == "sqrt_beta_zero" else self.free[name].exp()
        return value

    def start_at(self, values: dict[str, float]) -> None:
        """Start the learned ones at these values; sqrt_beta_zero = 1 at the largest logit that still learns."""
        for name, free in self.free.items():
            value = values[name]
            free.data.fill_(_logit(value) if name == "sqrt_beta_zero" else math.log(value))

    def learned_values(self) -> dict[str, float]:
        """Give what was learned, as plain numbers."""
        return {name: torch.as_tensor(self.get(name, math.nan)).item() for name in self.free}


def build_integrator(
    settings: FlowSettings, n_leapfrog: int, step_size: float, iterations: int, sqrt_beta_zero: float
) -> Integrator:
    """Give the integrator of a flow: learned values where there are any."""
    return Integrator(
        n_leapfrog, settings.get("step_size", step_size), iterations, settings.get("sqrt_beta_zero", sqrt_beta_zero)
    )


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-3), 1 - 1e-3)
    return math.log(bounded / (1 - bounded))
