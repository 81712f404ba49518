import pytest
import torch
from latent_fields import draw_points

from cohortsmith.core.pullback_metric import jacobian, pullback_geometry
from cohortsmith.core.radial_precision import RadialPrecision, radial_deviation


def constant(z):
    return torch.ones(len(z), 1, dtype=z.dtype) + 0 * z[:, :1]


def test_a_linear_decoder_pulls_back_the_same_metric_everywhere():
    weights = draw_points(3, 8)
    geometry = pullback_geometry(3, lambda z: z @ weights, constant, points_at_once=2)
    z = draw_points(5, 3, seed=2)
    torch.testing.assert_close(geometry.metric(z), (weights @ weights.mT).expand(5, 3, 3))
    torch.testing.assert_close(geometry.log_volume_and_gradient(z)[1], torch.zeros(5, 3, dtype=torch.float64))


def test_polar_coordinates_pull_back_their_textbook_metric():
    def to_plane(z):
        return torch.stack([z[:, 0] * z[:, 1].cos(), z[:, 0] * z[:, 1].sin()], dim=1)

    z = torch.tensor([[2.0, 0.3], [0.5, 2.0]], dtype=torch.float64)
    geometry = pullback_geometry(2, to_plane, constant)
    expected = torch.diag_embed(torch.stack([torch.ones(2).double(), z[:, 0].square()], dim=1))  # dr^2 + r^2 dphi^2
    torch.testing.assert_close(geometry.metric(z), expected, rtol=1e-12, atol=1e-12)
    volume, gradient = geometry.log_volume_and_gradient(z)
    torch.testing.assert_close(volume, z[:, 0].log())
    torch.testing.assert_close(gradient[:, 0], 1 / z[:, 0])


def test_a_deviation_common_to_all_outputs_counts_once_for_each():
    network = RadialPrecision(draw_points(4, 2), torch.full((4,), 0.5).double(), draw_points(4, 1)[:, 0].exp(), 0.1)
    weights = draw_points(2, 6, seed=3)
    common = pullback_geometry(2, lambda z: z @ weights, lambda z: radial_deviation(network, z))
    repeated = pullback_geometry(2, lambda z: z @ weights, lambda z: radial_deviation(network, z).expand(-1, 6))
    z = draw_points(5, 2, seed=2)
    torch.testing.assert_close(common.metric(z), repeated.metric(z), rtol=1e-12, atol=1e-12)


def test_an_unsure_decoder_makes_the_void_expensive():
    network = RadialPrecision(torch.zeros(1, 2).double(), torch.ones(1).double(), torch.ones(1, 5).double(), 1e-4)
    weights = draw_points(2, 5, seed=3)
    geometry = pullback_geometry(2, lambda z: z @ weights, lambda z: radial_deviation(network, z))
    on_the_data, at_the_border = geometry.log_volume(torch.tensor([[0.0, 0.0], [2.5, 0.0]], dtype=torch.float64))
    assert at_the_border > on_the_data + 2


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_the_size_of_the_parts_changes_nothing(at_once):
    first = draw_points(3, 8)
    geometry = pullback_geometry(3, lambda z: torch.tanh(z @ first), constant, at_once)
    z, q = draw_points(9, 3, seed=2), draw_points(9, 3, seed=4)
    whole = pullback_geometry(3, lambda z: torch.tanh(z @ first), constant, 9)
    torch.testing.assert_close(geometry.metric(z), whole.metric(z))
    torch.testing.assert_close(geometry.kinetic_gradient(z, q), whole.kinetic_gradient(z, q))


def test_the_jacobian_is_that_of_torch():
    first, z = draw_points(3, 4), draw_points(2, 3, seed=2)
    found = jacobian(lambda points: torch.tanh(points @ first), z)
    for point, expected in zip(z, found, strict=True):
        torch.testing.assert_close(torch.func.jacrev(lambda p: torch.tanh(p @ first))(point).mT, expected)


def test_gradients_are_found_where_none_are_being_recorded():
    first = draw_points(3, 8)
    geometry, z = pullback_geometry(3, lambda z: torch.tanh(z @ first), constant), draw_points(4, 3, seed=2)
    expected = geometry.log_volume_and_gradient(z)
    with torch.no_grad():
        found = geometry.log_volume_and_gradient(z)
    assert torch.equal(found[1], expected[1])
    assert not found[0].requires_grad


def test_a_point_where_the_decoder_is_flat_has_no_inverse_and_leaves_the_others_alone():
    geometry = pullback_geometry(2, lambda z: z.relu(), lambda z: torch.zeros_like(z[:, :1]))
    inverse = geometry.inverse(torch.tensor([[1.0, 2.0], [-1.0, 2.0]]))
    assert torch.equal(inverse[0], torch.eye(2))
    assert inverse[1].isnan().all()
