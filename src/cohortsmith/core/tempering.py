"""The velocity's temperature along the flow."""

from torch import Tensor


def square_root_schedule(n_leapfrog: int, sqrt_beta_zero: float | Tensor) -> tuple[float | Tensor, ...]:
    """Give sqrt(beta_k), k = 0 .. K: rises from sqrt(beta_0) to 1 (thesis 1.3.2, quadratic schedule)."""
    start = 1 / sqrt_beta_zero
    return tuple(1 / ((1 - start) * (k / n_leapfrog) ** 2 + start) for k in range(n_leapfrog + 1))
