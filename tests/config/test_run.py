import hashlib

import pytest
from kedro.config import OmegaConfigLoader
from pydantic import ValidationError

from cohortsmith.config.run import read_run_config
from cohortsmith.errors import ConfigurationError
from cohortsmith.settings import CONFIG_LOADER_ARGS, ROOT

SIMULATED = {
    "name": "a",
    "source": "adni",
    "simulated": True,
    "path": "data/01_raw/a/training",
    "labels": ["CN", "AD"],
}


def study(**changes):
    return {"study": {**SIMULATED, **changes}}


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
        read_run_config(study(source="bids", simulated=False, path=str(tmp_path / "nowhere")))

    assert caught.value.exit_code == 2


@pytest.mark.parametrize("own", [{"source": "bids"}, {"path": "/srv/ADNI"}, {"name": "b"}])
def test_a_study_of_ones_own_is_never_taken_for_the_simulated_one(own):
    with pytest.raises(ConfigurationError, match=r"study\.simulated: false"):
        read_run_config(study(**own))


def test_configuration_cannot_be_changed_after_it_was_read():
    config = read_run_config(study())

    with pytest.raises(ValidationError):
        config.seed = 3


@pytest.mark.parametrize(
    ("split", "told"),
    [
        ({"test": 1.5}, "whole number"),
        ({"validation": -0.1}, "greater than or equal to 0"),
        ({"train_on": 50}, "one of train_subsets"),
        ({"folds": 1}, "at least 2"),
        ({"match": ["weight"]}, "'age', 'sex' or 'site'"),
    ],
)
def test_a_split_that_cannot_be_made_stops_before_anything_starts(split, told):
    with pytest.raises(ConfigurationError, match=told):
        read_run_config({**study(), "split": split})


def test_a_missing_table_of_scans_to_keep_stops_before_anything_starts(tmp_path):
    with pytest.raises(ConfigurationError, match=r"cohort\.keep_table"):
        read_run_config({**study(), "cohort": {"keep_table": str(tmp_path / "nowhere.tsv")}})


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


def test_a_template_of_another_content_stops_before_anything_starts(tmp_path):
    (tmp_path / "template.nii").write_bytes(b"not the template")
    own = {"path": str(tmp_path / "template.nii")}
    found = hashlib.sha256(b"not the template").hexdigest()

    with pytest.raises(ConfigurationError, match=found):
        read_run_config({**study(), "preparation": {"template": own}})

    assert read_run_config({**study(), "preparation": {"template": {**own, "sha256": found}}}).preparation.template.path


@pytest.mark.parametrize("key", ["decisions", "external_decisions"])
def test_a_table_of_decisions_that_is_not_there_stops_before_anything_starts(tmp_path, key):
    with pytest.raises(ConfigurationError, match=rf"preparation\.{key}"):
        read_run_config({**study(), "preparation": {key: str(tmp_path / "decisions.tsv")}})


def test_the_adni_environment_has_the_published_settings_and_lacks_only_its_paths(tmp_path):
    loaded = OmegaConfigLoader(str(ROOT / "conf"), env="adni", **CONFIG_LOADER_ARGS)["parameters"]
    with pytest.raises(ConfigurationError, match=r"study\.path"):
        read_run_config(loaded)

    loaded["study"]["path"] = loaded["study"]["external_path"] = str(tmp_path)
    config = read_run_config(loaded)

    assert (config.split.test, config.split.validation, config.split.train_subsets) == (100, 0.2, (50,))
    assert (config.generator.temperature, config.generator.regularization) == (1.5, 0.01)
    assert (config.study.source, config.study.external_source, config.study.simulated) == ("adni", "aibl", False)
    assert (config.judge.mixture, config.judge.n_seeds) == ("concatenated", 20)


def test_a_dry_run_of_the_simulated_study_needs_its_delivery(tmp_path):
    path = tmp_path / "01_raw" / "a" / "training"
    parameters = {**study(path=str(path)), "ingest": {"dry_run": True}}
    with pytest.raises(ConfigurationError, match="has not been delivered yet"):
        read_run_config(parameters)

    path.mkdir(parents=True)
    assert read_run_config(parameters).ingest.dry_run


def test_a_defaced_scan_can_only_be_kept_of_what_is_defaced():
    with pytest.raises(ConfigurationError, match="deface: true"):
        read_run_config({**study(), "preparation": {"keep": ["defaced"]}})
    assert read_run_config({**study(), "preparation": {"keep": ["defaced"], "deface": True}}).preparation.deface


def test_brain_extraction_without_its_library_stops_before_anything_starts(monkeypatch):
    monkeypatch.setattr("cohortsmith.config.preparation.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"cohortsmith\[brain\]"):
        read_run_config({**study(), "preparation": {"brain_extraction": True}})
    assert not read_run_config(study()).preparation.brain_extraction


UNJUDGEABLE = [
    ({"judge": {"arms": ["synthetic", "random-labels"]}}, "judge.arms"),
    ({"split": {"validation": 0}}, "split.validation"),
    ({"split": {"validation": 0, "folds": 3}}, "split.validation"),
    ({"split": {"test": 0}}, "split.test"),
    ({"split": {"test": 0, "folds": 3}}, "split.test"),
]


@pytest.mark.parametrize(("blocks", "where"), UNJUDGEABLE)
def test_what_the_judge_needs_is_asked_for_before_anything_starts_and_only_where_it_judges(blocks, where):
    with pytest.raises(ConfigurationError) as refusal:
        read_run_config({**study(), **blocks})

    assert refusal.value.where == f"parameters.{where}"
    assert refusal.value.got and refusal.value.expected and refusal.value.remedy
    assert read_run_config({**study(stages=["ingest", "prepare", "learn", "augment"]), **blocks})


def test_an_external_study_is_enough_to_test_on():
    config = read_run_config({**study(external_path="data/01_raw/a/external"), "split": {"test": 0}})
    assert config.split.test == 0


def test_two_labels_of_one_name_stop_before_anything_starts():
    with pytest.raises(ConfigurationError, match="two different labels") as refusal:
        read_run_config(study(labels=["CN", "CN"]))
    assert refusal.value.where == "parameters.study.labels"
