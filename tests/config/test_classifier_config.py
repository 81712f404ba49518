"""Each kind of classifier has its own keys; a key of another kind is refused by its name."""

from pathlib import Path
from typing import get_args

import pytest
import yaml

from cohortsmith.config.classifier import (
    Conv5FC3DownConfig,
    CustomConfig,
    Kind,
    NearestNeighboursConfig,
    read_classifier,
)
from cohortsmith.config.random_search import RandomSearchConfig
from cohortsmith.config.run import RunConfig
from cohortsmith.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
STUDY = {"name": "a", "source": "adni", "simulated": True, "path": "01_raw/a/training", "labels": ["CN", "AD"]}


def test_without_a_kind_the_keys_are_those_of_a_custom_classifier() -> None:
    config = read_classifier({"channels": [4, 8], "strides": [1, 2]})
    assert isinstance(config, CustomConfig)
    assert config.strides == (1, 2)


def test_a_study_that_names_a_kind_keeps_it_within_the_runs_configuration() -> None:
    config = RunConfig.read({"study": STUDY, "classifier": {"kind": "conv5_fc3_down", "dropout": 0.2}}, "parameters")
    assert config.classifier == Conv5FC3DownConfig(dropout=0.2)
    assert config.model_dump()["classifier"]["dropout"] == 0.2


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"kind": "conv5_fc3", "channels": [3]}, "channels"),
        ({"kind": "optimized", "dense": [3]}, "dense"),
        ({"kind": "random_forest", "learning_rate": 0.1}, "learning_rate"),
        ({"kind": "mlp", "n_trees": 3}, "n_trees"),
    ],
)
def test_a_key_of_another_kind_is_refused_by_its_name(values, named) -> None:
    with pytest.raises(ConfigurationError, match=f"unknown configuration key '{named}'"):
        read_classifier(values)


def test_an_unknown_kind_names_the_kinds() -> None:
    with pytest.raises(ConfigurationError, match="k_nearest_neighbours") as caught:
        read_classifier({"kind": "transformer"})
    assert "'transformer'" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strides": (1,)},
        {"convolutions": (1,)},
        {"batch_size": 6},
        {"evaluations": 300},
        {"channels": ()},
        {"dropout": 1.0},
        {"kind": "k_nearest_neighbours", "n_neighbours": 4},
        {"kind": "optimized", "third_block": 15},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(wrong) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        read_classifier(wrong)


def test_a_classifier_of_scikit_learn_takes_no_optimiser_step() -> None:
    assert NearestNeighboursConfig().optimizer_steps == 0


def test_a_study_may_name_any_kind_on_top_of_the_base_configuration() -> None:
    base = yaml.safe_load((ROOT / "conf" / "base" / "parameters.yml").read_text())["classifier"]
    for kind in get_args(Kind):
        assert read_classifier(base | {"kind": kind}).kind == kind


def test_bounds_of_the_search_come_in_order() -> None:
    with pytest.raises(ConfigurationError, match="lower bound comes first"):
        RandomSearchConfig.read({"blocks": (6, 2)}, "parameters.random_search")
