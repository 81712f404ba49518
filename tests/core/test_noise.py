import torch

from cohortsmith.core.noise import standard_normal, uniform


def test_noise_follows_shape_and_type_and_the_generator_alone():
    for draw in (standard_normal, uniform):
        for dtype in (torch.float32, torch.float64):
            first, again = (draw(torch.empty(3, 4, dtype=dtype), torch.Generator().manual_seed(1)) for _ in range(2))
            assert first.shape == (3, 4)
            assert first.dtype == dtype
            assert torch.equal(first, again)


def test_uniform_noise_fills_the_unit_interval():
    values = uniform(torch.empty(10_000), torch.Generator().manual_seed(0))
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1
