import pytest
import torch
from latent_fields import draw_points

from cohortsmith.core import hmc
from cohortsmith.core.chains import Chains
from cohortsmith.core.diagnostics import diagnose, mixing, placement


def test_independent_chains_mix():
    found = mixing(draw_points(50 * 8, 2).reshape(50, 8, 2))
    assert found.r_hat < 1.05
    assert 200 < found.effective_sample_size < 800


def test_chains_that_stay_where_they_began_do_not():
    apart = draw_points(50 * 8, 2).reshape(50, 8, 2) * 0.01 + draw_points(8, 2, seed=4)
    found = mixing(apart)
    assert found.r_hat > 2
    assert found.effective_sample_size < 50


def test_the_worst_coordinate_speaks():
    trajectory = draw_points(50 * 8, 2).reshape(50, 8, 2)
    trajectory[:, :, 1] += 10 * torch.arange(8, dtype=torch.float64)
    assert mixing(trajectory).r_hat > 2


def test_void_share_by_hand():
    centroids = torch.tensor([[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    draws = torch.tensor([[0.0, 5.9], [0.0, 6.1], [-7.0, 0.0], [1.0, 0.0]])
    found = placement(draws, centroids, void_beyond=6.0)
    assert found.void_share == pytest.approx(0.5)
    assert found.nearest_centroid_max == pytest.approx(7.0)
    assert found.nearest_centroid_mean == pytest.approx((5.9 + 6.1 + 7.0) / 4)


def test_a_run_is_judged_by_all_of_it():
    state = hmc.ChainState(torch.tensor([[0.0, 7.0], [0.0, 0.5]]), torch.zeros(2), torch.zeros(2, 2))
    chains = Chains(
        state,
        draw_points(50 * 8, 2).reshape(50, 8, 2),
        torch.tensor([0.5, 0.7]),
        torch.tensor([0.1, 0.3]),
        0.25,
        torch.tensor([True, False]),
    )
    found = diagnose(chains)
    placed = placement(chains.state.position, torch.zeros(1, 2), void_beyond=6.0)
    assert found.acceptance == pytest.approx(0.6)
    assert found.energy_error == pytest.approx(0.2)
    assert found.step_size == 0.25
    assert found.left_support == 0.5
    assert placed.void_share == 0.5
    assert placed.nearest_centroid_max == pytest.approx(7.0)
    assert (found.r_hat, found.effective_sample_size) == tuple(mixing(chains.trajectory))
