import pytest
from pydantic import ValidationError

from cohortsmith.config.run import read_run_config
from cohortsmith.errors import ConfigurationError


def study(**changes):
    return {"study": {"name": "a", "source": "phantom", "labels": ["CN", "AD"], **changes}}


def test_a_typo_names_the_key_the_allowed_ones_and_the_likely_one():
    with pytest.raises(ConfigurationError) as caught:
        read_run_config({**study(), "generator": {"latent_dims": 3}})

    text = str(caught.value)
    assert "unknown configuration key 'latent_dims'" in text
    assert "parameters.generator.latent_dims" in text
    assert "latent_dim" in text.split("expected")[1]
    assert "did you mean 'latent_dim'?" in text


def test_a_typo_in_a_nested_block_lists_that_blocks_keys():
    with pytest.raises(ConfigurationError, match="metric_hidden"):
        read_run_config({**study(), "generator": {"network": {"hiden": [3]}}})


def test_an_unknown_top_level_key_is_refused():
    with pytest.raises(ConfigurationError, match="did you mean 'sampler'"):
        read_run_config({**study(), "sampller": {}})


def test_a_value_out_of_range_says_what_was_got():
    with pytest.raises(ConfigurationError, match=r"got: -1"):
        read_run_config({**study(), "seed": -1})


def test_a_missing_folder_stops_before_anything_starts(tmp_path):
    with pytest.raises(ConfigurationError, match=r"study\.path") as caught:
        read_run_config(study(source="bids", path=str(tmp_path / "nowhere")))

    assert caught.value.exit_code == 2


def test_configuration_cannot_be_changed_after_it_was_read():
    config = read_run_config(study())

    with pytest.raises(ValidationError):
        config.seed = 3


def test_fractions_must_leave_subjects_to_train_on():
    with pytest.raises(ConfigurationError, match="below 1"):
        read_run_config({**study(), "split": {"test_fraction": 0.6, "validation_fraction": 0.4}})


@pytest.mark.parametrize(("generator", "sampler"), [("vae", "hmc"), ("r_vae", "random_walk"), ("rhvae", "vamp")])
def test_a_sampler_that_the_model_has_no_law_for_stops_before_anything_starts(generator, sampler):
    with pytest.raises(ConfigurationError, match=f"{sampler}, with generator.kind {generator}"):
        read_run_config({**study(), "generator": {"kind": generator}, "sampler": {"kind": sampler}})


def test_a_sampler_of_any_model_goes_with_every_generator():
    config = read_run_config({**study(), "generator": {"kind": "hvae"}, "sampler": {"kind": "geometric"}})
    assert (config.generator.kind, config.sampler.kind) == ("hvae", "geometric")


def test_an_unknown_kind_of_model_names_the_kinds():
    with pytest.raises(ConfigurationError, match="r_vae") as caught:
        read_run_config({**study(), "generator": {"kind": "gan"}})
    assert "'gan'" in str(caught.value)
