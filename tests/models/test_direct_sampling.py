"""Laws that need no chain, each against what it is known to be."""

import pytest
import torch
from ring_images import RING, SHAPE, draw_ring
from tiny_rhvae import draw_fitted, fitted_at

from cohortsmith.config.generator import SamplerConfig, VampVAEConfig
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.direct_sampling import draw_from_gaussian_mixture, draw_from_prior, draw_from_vamp
from cohortsmith.models.encoding import encode_all
from cohortsmith.models.fitted import FittedVAE
from cohortsmith.models.kinds import enter_main
from cohortsmith.models.r_vae import draw_brownian_prior

SAMPLER = SamplerConfig()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def fitted_of(config, images):
    model = build_model(config, SHAPE, seeded(0), Appearance(torch.full(SHAPE, 0.3), 0.2))
    enter_main(model, images, 8, seeded(1))
    state = {name: value.detach() for name, value in model.state_dict().items()}
    return model, FittedVAE(config, SHAPE, state, encode_all(model, images, 8), None, ())


def test_an_r_vaes_prior_is_its_brownian_motion():
    model, fitted = fitted_of(RING.model_copy(update={"n_centres": 6}), draw_ring(12))
    found = draw_from_prior(fitted, SAMPLER, 7, seeded(3)).latents
    torch.testing.assert_close(found, draw_brownian_prior(model, 7, seeded(3)))


@pytest.mark.statistical
def test_draws_of_a_vamp_prior_of_one_component_have_its_spread():
    config = VampVAEConfig(latent_dim=2, network=RING.network, n_pseudo_inputs=1)
    model = build_model(config, SHAPE, seeded(0), Appearance(torch.full(SHAPE, 0.3), 0.2))
    model.start_at(torch.from_numpy(draw_ring(1)).flatten(1))
    state = {name: value.detach() for name, value in model.state_dict().items()}
    state["encoder.log_variance.bias"] = torch.tensor([-3.0, 2.0])
    fitted = FittedVAE(config, SHAPE, state, draw_fitted().codes, None, ())
    model.load_state_dict(state)
    expected = model.components().log_variance[0].exp()
    found = draw_from_vamp(fitted, SAMPLER, 4_000, seeded(1)).latents.var(0)
    torch.testing.assert_close(found, expected.detach(), rtol=4 * (2 / 4_000) ** 0.5, atol=0)


def test_a_mixture_has_at_most_as_many_components_as_there_are_codes():
    drawn = draw_from_gaussian_mixture(draw_fitted(), SAMPLER.model_copy(update={"n_components": 50}), 6, seeded(1))
    assert drawn.latents.shape == (6, 2)


def test_the_components_of_a_mixture_come_in_no_order():
    apart = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [50.0, 0.0], [50.1, 0.0], [50.0, 0.1]])
    config = SAMPLER.model_copy(update={"n_components": 2})
    far = draw_from_gaussian_mixture(fitted_at(apart), config, 60, seeded(1)).latents[:, 0] > 25
    assert (far[1:] != far[:-1]).sum() > 15
