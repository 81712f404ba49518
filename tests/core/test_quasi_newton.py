import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortsmith.core.quasi_newton import minimise


def identity(p, n, dtype=torch.float64):
    return torch.eye(n, dtype=dtype).expand(p, n, n).clone()


def draw_bowls(p, n, seed):
    generator = torch.Generator().manual_seed(seed)
    roots = torch.randn(p, n, n, generator=generator, dtype=torch.float64)
    centres = torch.randn(p, n, generator=generator, dtype=torch.float64)
    return roots @ roots.mT + 0.1 * identity(p, n), centres


def bowl(matrices, centres):
    def objective(points, rows):
        away = points - centres[rows]
        force = (matrices[rows] @ away.unsqueeze(-1)).squeeze(-1)
        return 1 + 0.5 * (away * force).sum(1), force

    return objective


def banana(points, rows):
    """Rosenbrock's valley, lowest at (1, 1)."""
    x, y = points.unbind(1)
    bend = y - x.square()
    value = 1 + (1 - x).square() + 100 * bend.square()
    return value, torch.stack([-2 * (1 - x) - 400 * x * bend, 200 * bend], dim=1)


@settings(deadline=None, max_examples=20)
@given(p=st.integers(1, 5), n=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_each_of_many_bowls_is_found_to_the_bottom(p, n, seed):
    matrices, centres = draw_bowls(p, n, seed)
    found = minimise(bowl(matrices, centres), torch.zeros_like(centres), identity(p, n), 1e-14, 300)
    assert found.converged.all()
    torch.testing.assert_close(found.value, torch.ones(p, dtype=torch.float64))


def test_with_the_true_curvature_a_bowl_takes_one_step():
    matrices, centres = draw_bowls(3, 4, seed=1)
    found = minimise(bowl(matrices, centres), torch.zeros_like(centres), torch.linalg.inv(matrices), 1e-12, 1)
    torch.testing.assert_close(found.point, centres)
    assert found.converged.all()


def test_a_bent_valley_is_followed_to_its_end():
    start = torch.tensor([[-1.2, 1.0], [0.0, 3.0], [2.0, -1.0]], dtype=torch.float64)
    found = minimise(banana, start, identity(3, 2), 1e-14, 200)
    assert found.converged.all()
    torch.testing.assert_close(found.point, torch.ones_like(start), rtol=0, atol=1e-5)


def test_no_value_ever_rises():
    start = torch.tensor([[-1.2, 1.0], [0.0, 3.0]], dtype=torch.float64)
    everyone = torch.arange(2)
    values = [banana(start, everyone)[0]]
    values += [minimise(banana, start, identity(2, 2), 1e-14, n).value for n in range(1, 40)]
    assert (torch.stack(values).diff(dim=0) <= 0).all()


def test_a_hard_problem_does_not_change_the_answer_of_an_easy_one():
    start = torch.tensor([[0.9, 0.8], [-8.0, 50.0]], dtype=torch.float64)
    alone = minimise(banana, start[:1], identity(1, 2), 1e-14, 200)
    together = minimise(banana, start, identity(2, 2), 1e-14, 200)
    torch.testing.assert_close(together.point[:1], alone.point, rtol=0, atol=0)


def test_too_few_iterations_are_said_not_to_have_converged():
    start = torch.tensor([[-1.2, 1.0], [1.0, 1.0]], dtype=torch.float64)
    assert minimise(banana, start, identity(2, 2), 1e-14, 2).converged.tolist() == [False, True]


def test_a_step_to_where_there_is_no_value_is_taken_back():
    def barrier(points, rows):
        return 2 + points.sum(1) - points.log().sum(1), 1 - 1 / points

    found = minimise(barrier, torch.full((1, 1), 5.0, dtype=torch.float64), 100 * identity(1, 1), 1e-14, 100)
    assert found.point.item() == pytest.approx(1.0, abs=1e-6)


def test_a_problem_without_any_way_down_ends_where_it_began():
    def uphill(points, rows):
        return 1 + points.abs().sum(1), -torch.ones_like(points)

    found = minimise(uphill, torch.zeros(1, 1), identity(1, 1, torch.float32), 1e-6, 50)
    assert found.point.item() == 0
    assert not found.converged.any()
