import math

import numpy as np
import pytest
import torch
from authors_model import authors_model
from tiny_rhvae import BRIEF, SHAPE, TINY, draw_images

from cohortsmith.config.generator import HVAEConfig, VAEConfig, VampVAEConfig
from cohortsmith.core.metric import MetricField, expand
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.fitted import FittedVAE, restore
from cohortsmith.models.marginal_likelihood import log_marginal
from cohortsmith.models.objective import Noise, draw_noise, log_weights
from cohortsmith.models.training import fit_vae
from cohortsmith.models.vae import Posterior

COMMON = {"latent_dim": 2, "likelihood_variance": 0.05, "network": TINY.network}
KINDS = {
    "vae": VAEConfig(**COMMON),
    "vamp_vae": VampVAEConfig(**COMMON, n_pseudo_inputs=3),
    "hvae": HVAEConfig(**COMMON, step_size=0.02),
    "rhvae": TINY.model_copy(update={"step_size": 0.02}),
}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module", params=KINDS)
def fitted(request):
    return fit_vae(draw_images(), KINDS[request.param], BRIEF, seed=3)


def by_quadrature(fitted, images):
    """log p(x) = log int p(x|z) p(z) dz on a grid of the plane."""
    model = restore(fitted)
    axis = torch.linspace(-7, 7, 561)
    grid = torch.cartesian_prod(axis, axis)
    prior = (
        model.log_prior(grid) if hasattr(model, "log_prior") else -0.5 * grid.square().sum(1) - math.log(2 * math.pi)
    )
    cell = 2 * math.log((axis[1] - axis[0]).item())
    with torch.no_grad():
        return torch.stack(
            [
                (model.log_likelihood(grid, image.expand(len(grid), -1)) + prior).logsumexp(0) + cell
                for image in torch.from_numpy(images).flatten(1)
            ]
        )


@pytest.mark.statistical
def test_importance_sampling_finds_the_integral_whatever_the_flow(fitted):
    images = draw_images()[:4]
    found = log_marginal(fitted, images, 2_000, seeded(1), chunk=4_000)
    expected = by_quadrature(fitted, images)
    assert ((found.value - expected).abs() < 4 * found.standard_error + 1e-3).all()
    assert (found.standard_error < 0.2).all()


@pytest.mark.statistical
def test_the_bound_lies_below_the_integral(fitted):
    images, model, generator = draw_images()[:4], restore(fitted), seeded(2)
    batch = torch.from_numpy(images).flatten(1)
    kernels = None if fitted.field is None else expand(fitted.field)
    with torch.no_grad():
        bounds = torch.stack([log_weights(model, batch, draw_noise((4, 2), generator), kernels) for _ in range(300)])
    standard_error = bounds.std(0) / math.sqrt(300)
    assert (bounds.mean(0) < by_quadrature(fitted, images) + 3 * standard_error).all()
    assert bounds.mean() < by_quadrature(fitted, images).mean()


def test_the_chunks_do_not_change_the_estimate_beyond_its_error(fitted):
    images = draw_images()[:3]
    whole = log_marginal(fitted, images, 400, seeded(1), chunk=100_000)
    pieces = log_marginal(fitted, images, 400, seeded(1), chunk=7)
    together = (whole.standard_error.square() + pieces.standard_error.square()).sqrt()
    assert ((whole.value - pieces.value).abs() < 5 * together).all()
    assert whole.value.shape == pieces.value.shape == (3,)


def test_the_estimate_is_the_mean_of_the_weights_and_its_error_theirs():
    fitted = fit_vae(draw_images(), KINDS["rhvae"], BRIEF, seed=3)
    images, generator = draw_images()[:1], seeded(5)
    noise = Noise(torch.randn(50, 2, generator=generator), torch.randn(50, 2, generator=generator))
    repeated = torch.from_numpy(images).flatten(1).expand(50, -1)
    with torch.no_grad():
        weights = log_weights(restore(fitted), repeated, noise, expand(fitted.field)).exp().double()
    found = log_marginal(fitted, images, 50, seeded(5), chunk=1_000)
    assert found.value.item() == pytest.approx(weights.mean().log().item(), abs=1e-4)
    expected = (weights.std() / weights.mean() / math.sqrt(50)).item()
    assert found.standard_error.item() == pytest.approx(expected, rel=2e-3)


def test_one_draw_is_its_own_estimate_of_unknown_error():
    fitted = fit_vae(draw_images(), KINDS["vae"], BRIEF, seed=3)
    images = draw_images()[:3]
    batch = torch.from_numpy(images).flatten(1)
    with torch.no_grad():
        weights = log_weights(restore(fitted), batch, draw_noise((3, 2), seeded(5)))
    found = log_marginal(fitted, images, 1, seeded(5))
    torch.testing.assert_close(found.value, weights)
    assert found.standard_error.tolist() == [math.inf] * 3


def test_a_model_without_a_normalised_prior_is_refused():
    model = build_model(VAEConfig(**COMMON), SHAPE, seeded(0), Appearance(torch.full(SHAPE, 0.3), 0.2))
    config = VAEConfig(**COMMON).model_copy(update={"kind": "r_vae"})
    fitted = FittedVAE(config, SHAPE, model.state_dict(), Posterior(*torch.zeros(2, 3, 2)), None, ())
    with pytest.raises(ConfigurationError, match="not normalised"):
        log_marginal(fitted, draw_images(), 10, seeded(0))


@pytest.mark.real_data
@pytest.mark.statistical
def test_log_p_of_the_authors_published_model_is_theirs(shared):
    oracle = np.load(shared / "oracles" / "rhvae_mnist_d2.npz")
    images = oracle["train_data"][:20]
    found = log_marginal(published(oracle), images, 2_000, seeded(1))
    # theirs is of 500 draws, ours of 2000: the standard error of the difference is that of ours times sqrt(1 + 4)
    error = found.standard_error.clamp(min=1e-3).double() * math.sqrt(5)
    for name in ("logpx_is_vae", "logpx_is_flow_with_jacobian"):
        z_scores = (found.value.double() - torch.from_numpy(oracle[name])) / error
        assert z_scores.abs().max() < 4
        assert z_scores.mean().abs() < 3 / math.sqrt(20)
    wrong = torch.from_numpy(oracle["logpx_is_flow_pythae_convention"])
    assert ((wrong - found.value.double()) / error).mean() > 3


def published(oracle):
    """The authors' model, with the metric that it was published with."""
    model = authors_model(oracle)
    products = torch.from_numpy(oracle["M"]).double()
    centroids = torch.from_numpy(oracle["centroids"])
    field = MetricField(centroids, torch.linalg.cholesky(products).float(), 0.8, 1e-3)
    config = model.config.model_copy(update={"step_size": 1e-2, "temperature": 0.8, "regularization": 1e-3})
    return FittedVAE(config, (28, 28), model.state_dict(), Posterior(centroids, torch.zeros_like(centroids)), field, ())
