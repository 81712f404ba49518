"""Pooling before the norm, and by phases, gives what convolution, moments and pooling one after the other give."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from cohortsmith.models import classifier_phases
from cohortsmith.models.classifier_convolution import convolve_and_pool, pool_convolution, zero_planes_take_part
from cohortsmith.models.classifier_layout import Layout, convolved_sides, pooled_sides

CONVOLVE = {2: functional.conv2d, 3: functional.conv3d}
POOL = {2: functional.max_pool2d, 3: functional.max_pool3d}

layouts = st.builds(Layout, st.integers(1, 2), st.integers(0, 1), st.booleans())
shapes = st.lists(st.integers(7, 11), min_size=2, max_size=3).map(tuple)
channels = st.integers(1, 2)


def draw(shape: tuple[int, ...], n_channels: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(3, n_channels, *shape, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, n_channels, *[3] * len(shape), generator=generator, dtype=torch.float64)
    return images, weight


def one_after_the_other(images: torch.Tensor, weight: torch.Tensor, layout: Layout) -> tuple[torch.Tensor, ...]:
    dimension = images.ndim - 2
    convolved = CONVOLVE[dimension](images, weight, stride=layout.stride, padding=layout.padding)
    padding = [side for n in reversed(convolved.shape[2:]) for side in (n % 2 * layout.rounds_up, 0)]
    maxima = POOL[dimension](functional.pad(convolved, padding, value=-torch.inf), 2)
    rows = convolved.movedim(1, 0).flatten(1)
    return maxima, rows.mean(1), rows.var(1, correction=0)


@settings(max_examples=40, deadline=None)
@given(shape=shapes, layout=layouts, n_channels=channels)
def test_maxima_and_moments_are_those_of_the_whole_convolution(shape, layout, n_channels) -> None:
    images, weight = draw(shape, n_channels)
    found, expected = convolve_and_pool(images, weight, layout), one_after_the_other(images, weight, layout)
    for ours, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-12, rtol=1e-10)
    assert tuple(found.maxima.shape[2:]) == pooled_sides(shape, layout)


@settings(max_examples=40, deadline=None)
@given(shape=shapes, layout=layouts, n_channels=channels, of_images=st.booleans())
def test_gradients_are_those_of_the_whole_convolution(shape, layout, n_channels, of_images) -> None:
    images, weight = draw(shape, n_channels)
    gradients = []
    for function in (convolve_and_pool, one_after_the_other):
        inputs = (images.clone().requires_grad_(of_images), weight.clone().requires_grad_())
        outputs = function(*inputs, layout)
        generator = torch.Generator().manual_seed(1)
        loss = sum((value * torch.randn(value.shape, generator=generator)).sum() for value in outputs)
        gradients.append(torch.autograd.grad(loss, [value for value in inputs if value.requires_grad]))
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-10, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(shape=shapes, layout=layouts, n_channels=channels, tracked=st.booleans())
def test_without_moments_the_maxima_are_the_same(shape, layout, n_channels, tracked) -> None:
    images, weight = draw(shape, n_channels)
    with torch.set_grad_enabled(tracked):
        found = pool_convolution(images, weight, layout)
    torch.testing.assert_close(found, one_after_the_other(images, weight, layout)[0], atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("room", [1, 16_000, 80_000, 2**25])  # bytes; a plane of members has 7 680, an image 38 400
def test_batches_that_do_not_fit_the_cache_are_taken_in_parts(room, monkeypatch) -> None:
    monkeypatch.setattr(classifier_phases, "IN_CACHE", room)
    images, weight = draw((9, 10, 11), 1)
    learned = [weight.clone().requires_grad_() for _ in range(2)]
    layout = Layout(1, 1, True)
    found, expected = (
        f(images, w, layout) for f, w in zip((convolve_and_pool, one_after_the_other), learned, strict=True)
    )
    found[0].square().sum().backward()
    expected[0].square().sum().backward()
    torch.testing.assert_close(found[2], expected[2], atol=1e-12, rtol=1e-10)
    torch.testing.assert_close(learned[0].grad, learned[1].grad, atol=1e-10, rtol=1e-9)


def test_members_of_a_window_that_are_equal_share_the_gradient() -> None:
    images = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    images[0, 0, 1:3, 1:3] = 1.0  # each window's maximum is met once; a constant image meets it four times
    weight = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    weight[0, 0, 1, 1] = 1.0
    for scan in (images, torch.ones_like(images)):
        learned = weight.clone().requires_grad_()
        convolve_and_pool(scan, learned, Layout(1, 1, True)).maxima.sum().backward()
        assert learned.grad[0, 0, 1, 1].item() == pytest.approx(4.0)


def test_the_zero_plane_lifts_negative_maxima_of_the_first_plane_of_odd_axes_only() -> None:
    pooled = -torch.ones(1, 1, 3, 2)
    found = zero_planes_take_part(pooled, (5, 4), Layout(1, 1, True))
    assert found[0, 0].tolist() == [[0, 0], [-1, -1], [-1, -1]]
    assert torch.equal(zero_planes_take_part(pooled, (5, 4), Layout(1, 1, False)), pooled)


def test_sides_follow_stride_padding_and_rounding() -> None:
    assert convolved_sides((9, 10), Layout(2, 0, True)) == (4, 4)
    assert convolved_sides((9, 10), Layout(1, 1, True)) == (9, 10)
    assert pooled_sides((9, 10), Layout(1, 1, True)) == (5, 5)
    assert pooled_sides((9, 10), Layout(1, 1, False)) == (4, 5)
