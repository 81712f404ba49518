import copy

import pytest
import torch
from tiny_rhvae import BRIEF, TINY, draw_images
from torch import nn

from cohortsmith.models import learner, weights
from cohortsmith.models.optimizer_in_backward import OptimizerInBackward
from cohortsmith.models.training import fit_vae


def build():
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 3))
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5, generator=generator)
    return model, torch.randn(5, 4, generator=generator)


def adam(model):
    return torch.optim.Adam(model.parameters(), lr=1e-2, fused=True)


def test_three_steps_give_bit_for_bit_the_weights_of_ordinary_steps():
    model, images = build()
    reference = copy.deepcopy(model)
    within, ordinary = adam(model), adam(reference)
    for learning_rate in (1e-2, 3e-2, 2e-2):
        within.param_groups[0]["lr"] = ordinary.param_groups[0]["lr"] = learning_rate
        with OptimizerInBackward(within):
            model(images).square().sum().backward()
        ordinary.zero_grad()
        reference(images).square().sum().backward()
        ordinary.step()
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_no_gradient_outlives_the_backward_pass_and_no_hook_the_context():
    model, images = build()
    with OptimizerInBackward(adam(model)):
        model(images).sum().backward()
        assert all(parameter.grad is None for parameter in model.parameters())
    model(images).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_gradient_from_before_counts_for_nothing():
    model, images = build()
    reference = copy.deepcopy(model)
    (100 * model(images)).sum().backward()
    for one in (model, reference):
        with OptimizerInBackward(adam(one)):
            one(images).square().sum().backward()
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), reference.parameters(), strict=True))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_told_and_changes_nothing(wrong):
    model, images = build()
    before = copy.deepcopy(model.state_dict())
    with OptimizerInBackward(adam(model)) as stepping:
        (model(images).sum() * wrong).backward()
    assert {id(one) for one in stepping.wrong} == {id(one) for one in model.parameters()}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_large_model_is_trained_to_the_same_weights(monkeypatch):
    small = fit_vae(draw_images(), TINY, BRIEF, seed=3)
    monkeypatch.setattr(weights, "LARGE", 0)
    used = []
    real = learner.OptimizerInBackward
    monkeypatch.setattr(learner, "OptimizerInBackward", lambda optimizer: used.append(1) or real(optimizer))
    large = fit_vae(draw_images(), TINY, BRIEF, seed=3)
    assert used
    assert all(torch.equal(small.state[name], large.state[name]) for name in small.state)


def test_a_large_model_rolls_back_too(monkeypatch):
    monkeypatch.setattr(weights, "LARGE", 0)
    real, steps = OptimizerInBackward._update, iter(range(10_000))

    def spoiled(self, parameter):
        parameter.grad = parameter.grad * {20: float("nan")}.get(next(steps), 1.0)
        real(self, parameter)

    monkeypatch.setattr(OptimizerInBackward, "_update", spoiled)
    fitted = fit_vae(draw_images(), TINY, BRIEF, seed=3)
    causes = [record.rollback for record in fitted.history if record.rollback]
    assert len(causes) == 1
    assert causes[0].startswith("the gradient of ")
    assert all(torch.isfinite(value).all() for value in fitted.state.values())
