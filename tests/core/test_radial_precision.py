import math

import pytest
import torch
from latent_fields import draw_points

from cohortsmith.core.radial_precision import RadialPrecision, radial_deviation, radial_precision


def test_one_centre_by_hand():
    network = RadialPrecision(torch.zeros(1, 2), torch.tensor([0.5]), torch.tensor([[3.0, 8.0]]), 1.0)
    at_centre, away = radial_precision(network, torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
    assert at_centre.tolist() == pytest.approx([4.0, 9.0])
    assert away.tolist() == pytest.approx([1 + 3 * math.exp(-2), 1 + 8 * math.exp(-2)])
    assert radial_deviation(network, torch.zeros(1, 2))[0].tolist() == pytest.approx([1 / 2, 1 / 3])


def test_far_from_every_centre_only_the_floor_is_left():
    network = RadialPrecision(draw_points(4, 3), torch.ones(4).double(), draw_points(4, 5).exp(), 0.01)
    far = torch.full((1, 3), 50.0, dtype=torch.float64)
    torch.testing.assert_close(radial_deviation(network, far), torch.full((1, 5), 10.0, dtype=torch.float64))


def test_common_weights_give_one_deviation_for_all():
    network = RadialPrecision(
        draw_points(4, 3), torch.linspace(0.2, 1, 4, dtype=torch.float64), draw_points(4, 1)[:, 0].exp(), 0.1
    )
    repeated = network._replace(weights=network.weights.unsqueeze(1).expand(4, 6))
    z = draw_points(5, 3, seed=2)
    assert radial_deviation(network, z).shape == (5, 1)
    torch.testing.assert_close(radial_deviation(network, z).expand(5, 6), radial_deviation(repeated, z))
