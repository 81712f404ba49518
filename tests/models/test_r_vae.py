import json
import math

import numpy as np
import pytest
import torch
from ring_images import RING, SHAPE, draw_ring, train_ring
from safetensors.torch import load, save

from cohortsmith.config.generator import NetworkConfig, TrainingConfig, read_generator
from cohortsmith.core.radial_precision import radial_deviation, radial_precision
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.batches import read_batch
from cohortsmith.models.building import Appearance, build_model
from cohortsmith.models.checkpoint import from_checkpoint, to_checkpoint
from cohortsmith.models.encoding import encode_all
from cohortsmith.models.fitted import FittedVAE, decode, encode, reconstruct
from cohortsmith.models.kinds import enter_main
from cohortsmith.models.latent_geometry import pullback_geometry_of
from cohortsmith.models.r_vae import draw_brownian_prior
from cohortsmith.models.training import fit_vae


@pytest.fixture(scope="module")
def trained():
    return train_ring()


def flat(images):
    return read_batch(images, np.arange(len(images)))


def build(config=RING, seed=0):
    return build_model(config, SHAPE, torch.Generator().manual_seed(seed), Appearance(torch.full(SHAPE, 0.3), 0.2))


def fitted_of(model, images):
    state = {name: value.detach() for name, value in model.state_dict().items()}
    return FittedVAE(model.config, SHAPE, state, encode_all(model, images, 16), None, ())


def started(n=30, seed=0, **changes):
    model, images = build(RING.model_copy(update=changes)), draw_ring(n)
    enter_main(model, images, 7, torch.Generator().manual_seed(seed))
    return model, images


def test_the_precision_falls_away_from_the_codes(trained):
    model, images, *_ = trained
    with torch.no_grad():
        codes = model.start_and_duration(flat(images))[0]
        here, hole, far = (
            radial_precision(model.precision(), z).mean() for z in (codes, codes.mean(0)[None], 4 * codes)
        )
    assert here > 100 * hole
    assert here > 1000 * far
    assert far >= RING.precision_floor


def test_draws_of_the_brownian_prior_stay_nearer_to_the_codes_than_standard_normal_ones(trained):
    model, images, *_ = trained
    codes = model.start_and_duration(flat(images))[0].detach()
    brownian = draw_brownian_prior(model, 300, torch.Generator().manual_seed(0))
    normal = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    away = [torch.cdist(z, codes).amin(1).mean().item() for z in (brownian, normal)]
    assert away[0] < 0.95 * away[1]
    assert brownian.std(0).min() > 0.3 * codes.std(0).min()  # yet they go round


def test_the_bound_of_each_phase_increases(trained):
    _, _, warm_up, main = trained
    assert np.mean(warm_up[-5:]) > np.mean(warm_up[:5]) + 50
    assert np.mean(main[-7:]) > np.mean(main[:7])


def test_the_main_phase_leaves_the_means_alone(trained):
    model, *_ = trained
    at_switch, *_ = train_ring(main=0)
    learned = {
        name for name, value in model.state_dict().items() if not torch.equal(value, at_switch.state_dict()[name])
    }
    assert learned == {"log_weights", "log_prior_duration", "encoder.log_variance.weight", "encoder.log_variance.bias"}


@pytest.mark.parametrize("floor", [1e-2, 2.0])
def test_the_precision_begins_at_that_of_the_residuals(floor):
    model, images = started(precision_floor=floor)
    with torch.no_grad():
        codes = model.encoder(model.standardise(flat(images)))[0]
        residual = (flat(images) - model.mean_image(codes)).square().mean(0)
        precision = radial_precision(model.precision(), codes).mean(0)
    expected = residual.clamp(min=0.1 * residual.mean())
    torch.testing.assert_close(1 / precision, expected, rtol=1e-2, atol=0)
    with torch.no_grad():
        durations = model.start_and_duration(flat(images))[1]
    torch.testing.assert_close(durations, expected.mean().expand(30), rtol=1e-4, atol=0)


def test_the_centres_are_the_codes_and_the_prior_begins_at_the_most_central():
    model, images = started(n=30, n_centres=45)
    codes = encode(fitted_of(model, images), images)
    torch.testing.assert_close(model.centres, torch.cat([codes, codes[:15]]))
    assert (codes == model.prior_centre).all(1).any()
    to_others = torch.cdist(model.prior_centre[None], codes).sum()
    assert to_others <= torch.cdist(codes, codes).sum(1).min() + 1e-3


def test_fewer_centres_than_codes_are_their_k_means():
    model, images = started(n=30, n_centres=4)
    codes = encode(fitted_of(model, images), images)
    nearest = torch.cdist(codes, model.centres).argmin(1)
    means = torch.stack([codes[nearest == k].mean(0) for k in range(4)])
    torch.testing.assert_close(model.centres, means, rtol=1e-3, atol=1e-4)


def test_a_bandwidth_may_be_given_and_is_else_that_of_the_largest_gap():
    given, _ = started(bandwidth=0.25)
    assert torch.equal(given.bandwidth, torch.full((20,), 0.25))
    model, _ = started(n_centres=4)
    distances = torch.cdist(model.centres, model.centres)
    gap = distances.sort(1).values[:, 1].max().item()
    assert model.bandwidth.tolist() == pytest.approx([4.5 / gap**2] * 4, rel=1e-4)


def test_one_precision_may_serve_all_voxels():
    model, images = started(precision_per_voxel=False)
    assert model.log_weights.shape == (20, 1)
    codes = encode(fitted_of(model, images), images)
    assert radial_deviation(model.precision(), codes).shape == (30, 1)
    assert torch.isfinite(model.log_likelihood(codes, flat(images))).all()


def test_one_precision_begins_at_the_mean_of_the_voxels():
    model, images = started(precision_per_voxel=False)
    with torch.no_grad():
        codes = model.encoder(model.standardise(flat(images)))[0]
        residual = (flat(images) - model.mean_image(codes)).square().mean(0)
        found = radial_precision(model.precision(), codes).mean()
    expected = (1 / residual.clamp(min=0.1 * residual.mean())).mean()
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=0)


def test_a_motions_duration_is_the_geometric_mean_over_the_axes():
    model, images = started()
    model.encoder.log_variance.bias.data.copy_(torch.tensor([1.0, 9.0]).log())
    durations = model.start_and_duration(flat(images))[1]
    torch.testing.assert_close(durations, torch.full((30,), 3.0))


def test_the_priors_duration_is_the_images_spread_per_latent_axis():
    model, images = started()
    codes = encode(fitted_of(model, images), images)
    with torch.no_grad():
        away = model.mean_image(codes) - model.mean_image(model.prior_centre[None])
    torch.testing.assert_close(model.log_prior_duration.exp(), away.square().sum(1).mean() / 2, rtol=1e-4, atol=0)


def test_a_motion_of_four_times_the_duration_goes_twice_as_far():
    model, _ = started()
    apart = []
    for duration in (1e-6, 4e-6):
        model.log_prior_duration.data.fill_(math.log(duration))
        drawn = draw_brownian_prior(model, 20, torch.Generator().manual_seed(0), n_steps=5)
        apart.append((drawn - model.prior_centre).norm(dim=1).mean().item())
    assert apart[1] == pytest.approx(2 * apart[0], rel=0.02)


def test_the_likelihood_is_the_normal_density_of_each_voxel(trained):
    model, images, *_ = trained
    with torch.no_grad():
        z = model.start_and_duration(flat(images))[0] + 0.1
        normal = torch.distributions.Normal(model.decoder(z).sigmoid(), radial_deviation(model.precision(), z))
        torch.testing.assert_close(model.log_likelihood(z, flat(images)), normal.log_prob(flat(images)).sum(1))


def test_the_posterior_is_the_diagonal_of_the_motions_covariance(trained):
    model, images, *_ = trained
    with torch.no_grad():
        posterior, (start, duration) = model.posterior(flat(images)[:3]), model.start_and_duration(flat(images)[:3])
    means, deviations = (
        torch.autograd.functional.jacobian(f, start[0])
        for f in (lambda z: model.mean_image(z[None])[0], lambda z: radial_deviation(model.precision(), z[None])[0])
    )
    inverse = torch.linalg.inv(means.mT @ means + deviations.mT @ deviations)
    assert torch.equal(posterior.mean, start)
    torch.testing.assert_close(posterior.log_variance[0].exp(), duration[0] * inverse.diagonal(), rtol=1e-3, atol=0)


def test_a_trained_model_decodes_encodes_and_survives_its_checkpoint(trained):
    model, images, *_ = trained
    fitted = fitted_of(model, images)
    tensors, plain = to_checkpoint(fitted)
    again = from_checkpoint(load(save(tensors)), json.loads(json.dumps(plain, allow_nan=False)))
    found = reconstruct(again, images).numpy()
    assert np.square(found - images).mean() < 0.2 * np.square(images.mean(0) - images).mean()
    assert decode(again, torch.zeros(2, 2)).shape == (2, *SHAPE)
    z = fitted.codes.mean[:4]
    with torch.no_grad():
        expected = model.geometry().metric(z)
    torch.testing.assert_close(pullback_geometry_of(again).metric(z), expected)


def test_training_goes_from_autoencoder_to_r_vae_by_itself():
    images = draw_ring(20)
    training = TrainingConfig(
        epochs=130, warm_up_epochs=125, batch_size=10, learning_rate=5e-3, learning_rate_ramp=2, device="cpu"
    )
    fitted = fit_vae(images, RING.model_copy(update={"n_centres": 10}), training, seed=0)
    assert [record.kl > 0 for record in fitted.history] == [False] * 125 + [True] * 5
    assert fitted.history[-1].elbo > fitted.history[0].elbo
    found = reconstruct(fitted, images).numpy()
    assert np.square(found - images).mean() < 0.3 * np.square(images.mean(0) - images).mean()
    assert torch.isfinite(fitted.codes.log_variance).all()
    volume = pullback_geometry_of(fitted).log_volume
    assert torch.isfinite(volume(fitted.codes.mean)).all()
    assert (fitted.state["bandwidth"] > 0).all()


def test_the_walls_of_the_pullback_metric_are_those_of_the_deviation(trained):
    model, images, *_ = trained
    codes = model.start_and_duration(flat(images))[0].detach()
    edge = (codes.mean(0) + 1.5 * (codes - codes.mean(0))).detach()
    with torch.no_grad():
        jacobian = torch.func.vmap(torch.func.jacfwd(lambda z: model.mean_image(z[None])[0]))(edge)
        whole = model.geometry().metric(edge)
    assert (whole - jacobian.mT @ jacobian).diagonal(dim1=1, dim2=2).median() > 0


@pytest.mark.parametrize("network", [RING.network, NetworkConfig(kind="convolutional", channels=(3, 4))])
def test_no_tensor_of_a_new_model_is_left_to_chance(network):
    torch.use_deterministic_algorithms(True)  # then memory that nothing has written holds NaN
    try:
        model = build(RING.model_copy(update={"network": network}))
        unwritten = [name for name, value in model.state_dict().items() if not torch.isfinite(value).all()]
    finally:
        torch.use_deterministic_algorithms(False)
    assert unwritten == []


def test_the_likelihood_must_be_normal():
    with pytest.raises(ConfigurationError, match="likelihood"):
        read_generator({"kind": "r_vae", "likelihood": "bernoulli"})
