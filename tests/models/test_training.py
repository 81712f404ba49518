import math

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_rhvae import BRIEF, TINY, build_tiny, draw_images

from cohortsmith.config.generator import NetworkConfig, RHVAEConfig, TrainingConfig
from cohortsmith.errors import ConfigurationError, StudyError, TrainingError
from cohortsmith.models import kinds, learner
from cohortsmith.models.batches import split_batches
from cohortsmith.models.encoding import metric_field, thin_to_medoids
from cohortsmith.models.fitted import encode, reconstruct, restore
from cohortsmith.models.training import appearance, fit_vae


@pytest.fixture(scope="module")
def fitted():
    return fit_vae(draw_images(), TINY, BRIEF, seed=3)


SPOILED = "of images"


def spoil(monkeypatch, name, calls, value=math.nan):
    """Make the bound `name` come out as `value` at the given calls; gives the count of calls."""
    real, count = getattr(kinds, name), iter(range(10_000))

    def spoiled(*arguments):
        bound = real(*arguments)
        factor = {True: value, False: 1.0}[next(count) in calls]
        return bound._replace(elbo=bound.elbo * factor)

    monkeypatch.setattr(kinds, name, spoiled)


def test_training_improves_the_bound_of_both_phases(fitted):
    elbos = [record.elbo for record in fitted.history]
    assert elbos[BRIEF.warm_up_epochs - 1] > elbos[0]
    assert max(elbos[BRIEF.warm_up_epochs :]) > elbos[BRIEF.warm_up_epochs]


def test_longer_training_reconstructs_better_than_the_mean_image():
    images = draw_images(n=16)
    longer = BRIEF.model_copy(update={"epochs": 220, "warm_up_epochs": 200, "learning_rate": 5e-3})
    wider = NetworkConfig(hidden=(32, 16), metric_hidden=(5,))
    sharp = TINY.model_copy(update={"likelihood_variance": 1e-3, "network": wider})
    found = reconstruct(fit_vae(images, sharp, longer, seed=0), images).numpy()
    assert np.square(found - images).mean() < 0.3 * np.square(images.mean(0) - images).mean()


def test_the_flow_moves_only_after_the_warm_up(fitted):
    moved = [record.flow_shift > 0 for record in fitted.history]
    solved = [record.step_residual > 0 for record in fitted.history]
    assert moved == solved == [epoch >= BRIEF.warm_up_epochs for epoch in range(BRIEF.epochs)]


def test_history_has_one_row_per_epoch_and_the_caller_is_told():
    told = []
    fitted = fit_vae(draw_images(), TINY, BRIEF, 3, on_epoch=lambda *row: told.append(row))
    assert told == [(record.epoch, record.elbo) for record in fitted.history]
    assert [record.epoch for record in fitted.history] == list(range(BRIEF.epochs))
    assert all(math.isfinite(value) for record in fitted.history for value in record[1:6])


def test_the_field_is_that_of_all_images_under_the_final_weights(fitted):
    images = draw_images()
    torch.testing.assert_close(fitted.field.centroids, encode(fitted, images))
    with torch.no_grad():
        field = restore(fitted).field(torch.from_numpy(images).flatten(1))
    torch.testing.assert_close(fitted.field.factors, field.factors)


def test_the_field_does_not_depend_on_how_the_images_are_batched(fitted):
    small, large = (metric_field(restore(fitted), draw_images(), size) for size in (2, 100))
    torch.testing.assert_close(small.centroids, large.centroids)
    torch.testing.assert_close(small.factors, large.factors)


def test_same_seed_same_result_and_another_seed_another(fitted):
    again, other = (fit_vae(draw_images(), TINY, BRIEF, seed) for seed in (3, 4))
    assert all(torch.equal(fitted.state[name], again.state[name]) for name in fitted.state)
    assert fitted.history == again.history
    assert torch.equal(fitted.field.factors, again.field.factors)
    assert not torch.equal(fitted.field.factors, other.field.factors)


def test_the_global_generator_is_neither_read_nor_moved(fitted):
    torch.manual_seed(123)
    before = torch.get_rng_state()
    again = fit_vae(draw_images(), TINY, BRIEF, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert fitted.history == again.history


def test_a_memory_map_gives_the_same_fit(fitted, tmp_path):
    np.save(tmp_path / "images.npy", draw_images())
    mapped = fit_vae(np.load(tmp_path / "images.npy", mmap_mode="r"), TINY, BRIEF, seed=3)
    assert mapped.history == fitted.history


def test_images_may_have_two_axes():
    images = draw_images(shape=(6, 7))
    fitted = fit_vae(images, TINY, BRIEF.model_copy(update={"epochs": 8}), seed=0)
    assert reconstruct(fitted, images).shape == images.shape


@pytest.mark.parametrize(("bound", "call"), [("vae_bound", 5), ("rhvae_bound", 0), ("rhvae_bound", 7)])
def test_a_bound_that_is_not_a_number_is_rolled_back(monkeypatch, bound, call):
    spoil(monkeypatch, bound, {call})
    fitted = fit_vae(draw_images(), TINY, BRIEF, seed=3)
    assert sum(SPOILED in record.rollback for record in fitted.history) == 1
    assert len(fitted.history) == BRIEF.epochs
    assert all(torch.isfinite(value).all() for value in fitted.state.values())


def test_an_infinite_gradient_is_rolled_back_before_it_reaches_the_weights(monkeypatch):
    real = torch.nn.utils.get_total_norm
    norms = iter([torch.tensor(math.inf)])
    monkeypatch.setattr(torch.nn.utils, "get_total_norm", lambda given: next(norms, real(given)))
    fitted = fit_vae(draw_images(), TINY, BRIEF, seed=3)
    assert fitted.history[0].rollback.startswith("the gradient of all weights together through images ")


def test_each_rollback_halves_learning_rate_and_leapfrog_step_and_restores_the_best_weights(monkeypatch):
    started = learner.begin(build_untrained(), 1e-2)
    images, generator = draw_images(), torch.Generator().manual_seed(0)
    steady = BRIEF.model_copy(update={"learning_rate": 1e-2, "learning_rate_ramp": 1})
    learner.begin_main(started)
    learner.learn_epoch(started, images, steady, 0, generator)
    steps = []
    real = kinds.rhvae_bound

    def spoiled(model, batch, noise, integrator):
        steps.append((integrator.step_size, {name: value.clone() for name, value in model.state_dict().items()}))
        bound = real(model, batch, noise, integrator)
        return bound._replace(elbo=bound.elbo * {0: math.nan}.get(len(steps) - 1, 1.0))

    monkeypatch.setattr(kinds, "rhvae_bound", spoiled)
    kept = {name: value.clone() for name, value in started.weights.kept.items()}
    record = learner.learn_epoch(started, images, steady, 1, generator)
    assert [size for size, _ in steps] == [TINY.step_size, TINY.step_size / 2, TINY.step_size / 2]
    assert all(torch.equal(steps[1][1][name], kept[name]) for name in kept)
    assert started.optimizer.param_groups[0]["lr"] == pytest.approx(5e-3)
    assert record.rollback.startswith(f"velocity ratio of the flow {SPOILED}")


def build_untrained():
    return build_tiny().float()


def test_weights_to_go_back_to_have_had_a_finite_bound(monkeypatch):
    seen = []
    real = kinds.rhvae_bound

    def watched(model, *arguments):
        seen.append(model.encoder.mean.weight.detach().clone())
        return real(model, *arguments)

    monkeypatch.setattr(kinds, "rhvae_bound", watched)
    fitted = fit_vae(draw_images(), TINY, BRIEF, seed=3)
    assert any(torch.equal(fitted.state["encoder.mean.weight"], weight) for weight in seen)


def test_diverging_again_and_again_ends_with_the_cause(monkeypatch):
    spoil(monkeypatch, "rhvae_bound", range(10_000))
    with pytest.raises(TrainingError, match=r"epoch 6 \(main\)") as raised:
        fit_vae(draw_images(), TINY, BRIEF, seed=3)
    assert "became nan, after 3 rollbacks" in raised.value.got
    assert "learning_rate" in raised.value.remedy


def test_a_flow_that_is_not_solved_is_rolled_back_with_a_smaller_step(monkeypatch):
    unsolve(monkeypatch, {7})
    fitted = fit_vae(draw_images(), TINY, BRIEF, seed=3)
    assert [record.rollback for record in fitted.history if record.rollback] == [
        "the flow's fixed points were unsolved by 50"
    ]
    assert fitted.config.step_size == pytest.approx(TINY.step_size / 2)


def test_a_flow_that_cannot_be_solved_any_more_ends_the_training_at_the_best_weights(monkeypatch):
    unsolve(monkeypatch, set(range(9, 100)))
    fitted = fit_vae(draw_images(), TINY, BRIEF, seed=3)
    assert len(fitted.history) == 9
    assert fitted.history[-1].rollback == "stopped after this epoch: the flow's fixed points were unsolved by 50"
    assert fitted.config.step_size == TINY.step_size


def test_a_flow_that_was_never_solved_is_an_error(monkeypatch):
    unsolve(monkeypatch, set(range(6, 100)))
    with pytest.raises(TrainingError, match=r"unsolved by 50"):
        fit_vae(draw_images(), TINY, BRIEF, seed=3)


def unsolve(monkeypatch, passes):
    """Report a mean residual of 50 latent units in the given passes over the images."""
    real, count = learner._pass, iter(range(10_000))

    def unsolved(*arguments):
        means = real(*arguments)
        return means | {True: {"step_residual": 50.0}, False: {}}[next(count) in passes]

    monkeypatch.setattr(learner, "_pass", unsolved)


def test_training_stops_when_the_smoothed_bound_has_not_improved_for_the_patience(monkeypatch):
    scores = iter([-10.0] * BRIEF.warm_up_epochs + [-8.0, -3.0] + [-9.0] * 100)
    real = learner._pass
    monkeypatch.setattr(learner, "_pass", lambda *arguments: real(*arguments) | {"elbo": next(scores)})
    patient = BRIEF.model_copy(update={"patience": 4, "smoothing": 0.0, "epochs": 100})
    fitted = fit_vae(draw_images(), TINY, patient, seed=0)
    assert len(fitted.history) == BRIEF.warm_up_epochs + 2 + 4


def test_smoothing_waits_out_one_bad_draw(monkeypatch):
    rising = [-10.0 + epoch for epoch in range(20)]
    rising[9] = -14.0
    scores = iter(rising)
    real = learner._pass
    monkeypatch.setattr(learner, "_pass", lambda *arguments: real(*arguments) | {"elbo": next(scores)})
    impatient = BRIEF.model_copy(update={"patience": 4, "epochs": 20})
    assert len(fit_vae(draw_images(), TINY, impatient, seed=0).history) == 20


def test_the_learning_rate_rises_after_each_start():
    started = learner.begin(build_untrained(), 1.0)
    images, generator = draw_images(n=6), torch.Generator().manual_seed(0)
    ramped = BRIEF.model_copy(update={"learning_rate": 1e-3, "learning_rate_ramp": 4})
    rates = []
    for epoch in range(6):
        learner.learn_epoch(started, images, ramped, epoch, generator)
        rates.append(started.optimizer.param_groups[0]["lr"])
    learner.begin_main(started)
    learner.learn_epoch(started, images, ramped, 6, generator)
    rates.append(started.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.25e-3, 0.5e-3, 0.75e-3, 1e-3, 1e-3, 1e-3, 0.25e-3])


@pytest.mark.parametrize(
    ("n", "size", "expected"), [(48, 25, [24, 24]), (51, 25, [17, 17, 17]), (5, 25, [5]), (3, 3, [3])]
)
def test_batches_are_as_equal_as_can_be(n, size, expected):
    batches = split_batches(n, size)
    assert [len(batch) for batch in batches] == expected
    assert np.concatenate(batches).tolist() == list(range(n))


def test_the_appearance_is_the_mean_image_and_the_deviation_from_it():
    images = draw_images()
    found = appearance(images, batch_size=4)
    np.testing.assert_allclose(found.mean, images.mean(0).ravel(), rtol=1e-5, atol=1e-7)
    assert found.contrast == pytest.approx(math.sqrt(images.var(0).mean()), rel=1e-4)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, math.nan])
def test_voxels_outside_their_range_are_refused(wrong):
    images = draw_images()
    images[3, 1, 1, 1] = wrong
    with pytest.raises(StudyError, match=r"voxels in \[0, 1\]"):
        fit_vae(images, TINY, BRIEF, seed=0)


def test_a_single_image_is_refused():
    with pytest.raises(StudyError, match="at least two images"):
        fit_vae(draw_images(n=1), TINY, BRIEF, seed=0)


def test_a_configuration_that_never_reaches_the_flow_is_refused():
    with pytest.raises(ConfigurationError, match="warm_up_epochs must be below epochs"):
        TrainingConfig.read({"epochs": 5, "warm_up_epochs": 5}, "training")


@pytest.mark.real_data
def test_real_slices_are_reconstructed_better_than_by_their_mean_also_unseen_ones(shared):
    files = sorted((shared / "data" / "oasis1_axial" / "images").glob("*.jpg"))[:60]
    images = np.stack([read_slice(file) for file in files])
    train, unseen = images[:48], images[48:]
    network = NetworkConfig(hidden=(128, 64), metric_hidden=(64,))
    config = RHVAEConfig(likelihood_variance=1 / 16, network=network)
    fitted = fit_vae(train, config, TrainingConfig(epochs=110, warm_up_epochs=80), seed=1)
    assert error_of(reconstruct(fitted, train), train) < 0.5 * error_of(train.mean(0), train)
    assert error_of(reconstruct(fitted, unseen), unseen) < error_of(train.mean(0), unseen)
    assert fitted.history[-1].step_residual < 1e-3


def read_slice(file):
    """A slice of 176 x 208 pixels, averaged over 4 x 4 of them, in [0, 1]."""
    pixels = np.asarray(Image.open(file).convert("L"), dtype=np.float32) / 255
    rows, columns = pixels.shape
    return pixels.reshape(rows // 4, 4, columns // 4, 4).mean((1, 3))


def error_of(found, images):
    return np.square(np.asarray(found) - images).mean()


def test_on_a_plateau_the_learning_rate_is_halved_and_the_leapfrog_step_is_not(monkeypatch):
    scores = iter([-10.0] * 3 + [-11.0] * 6)
    real = learner._pass
    monkeypatch.setattr(learner, "_pass", lambda *arguments: real(*arguments) | {"elbo": next(scores)})
    plateau = {"schedule": "plateau", "schedule_patience": 2, "smoothing": 0.0, "learning_rate_ramp": 1}
    halving = BRIEF.model_copy(update=plateau | {"learning_rate": 1e-3})
    started, generator, rates = learner.begin(build_untrained(), 1e-3), torch.Generator().manual_seed(0), []
    for epoch in range(8):
        learner.learn_epoch(started, draw_images(n=6), halving, epoch, generator)
        rates.append(started.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 2.5e-4, 1.25e-4])
    assert started.scale == 1.0


def test_a_constant_schedule_never_halves():
    started = learner.begin(build_untrained(), 1e-3)
    steady = BRIEF.model_copy(update={"schedule_patience": 1})
    for epoch in range(4):
        learner.learn_epoch(started, draw_images(n=6), steady, epoch, torch.Generator().manual_seed(0))
    assert started.rate == 1.0


def test_the_leapfrog_step_grows_to_its_size_over_the_ramp(monkeypatch):
    sizes, real = [], kinds.rhvae_bound

    def watched(model, batch, noise, integrator):
        sizes.append(integrator.step_size)
        return real(model, batch, noise, integrator)

    monkeypatch.setattr(kinds, "rhvae_bound", watched)
    fit_vae(draw_images(n=6), TINY, BRIEF.model_copy(update={"flow_ramp_epochs": 4}), seed=3)
    expected = [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    assert sizes == pytest.approx([TINY.step_size * share for share in expected])


def test_a_fitted_metric_can_be_thinned_to_medoids_of_the_codes(fitted):
    thinned = fit_vae(draw_images(), TINY.model_copy(update={"n_centroids": 3}), BRIEF, seed=3)
    rows = torch.cdist(thinned.field.centroids, fitted.field.centroids).argmin(1)
    assert len(set(rows.tolist())) == 3
    assert torch.equal(thinned.field.factors, fitted.field.factors[rows])
    assert len(thinned.codes.mean) == len(draw_images())


def test_more_centroids_than_images_leave_the_metric_whole(fitted):
    assert thin_to_medoids(fitted.field, 50) is fitted.field


@pytest.mark.slow
@pytest.mark.real_data
def test_the_published_toy_settings_train_from_twenty_seeds_without_a_rollback(shared):
    images = np.load(shared / "data" / "toy" / "mnist_012_120.npz")["images"].astype(np.float32) / 255
    network = NetworkConfig(hidden=(400,), metric_hidden=(400,))
    toy = {"latent_dim": 2, "step_size": 1e-2, "temperature": 0.8, "regularization": 1e-3, "likelihood": "bernoulli"}
    training = TrainingConfig(batch_size=120, epochs=24, warm_up_epochs=20)
    for seed in range(20):
        fitted = fit_vae(images, RHVAEConfig(network=network, **toy), training, seed)
        assert not any(record.rollback for record in fitted.history)
        assert error_of(reconstruct(fitted, images), images) < error_of(images.mean(0), images)
