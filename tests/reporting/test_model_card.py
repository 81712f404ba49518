"""The model card: what the model is made of and must not be used for, and not one subject's name."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from cohortsmith.config.generator import VAEConfig
from cohortsmith.config.run import RunConfig
from cohortsmith.models.fitted import EpochRecord, FittedVAE
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.models.vae import Posterior
from cohortsmith.reporting.content import RunFacts
from cohortsmith.reporting.model_card import ModelFacts, card_as_markdown, describe_model

SUBJECTS = ("sub-CANARY1", "sub-CANARY2", "sub-CANARY3")
SPLITS = pd.DataFrame(
    {
        "participant_id": [*SUBJECTS, SUBJECTS[0], "sub-other", SUBJECTS[1]],
        "diagnosis": ["AD", "AD", "AD", "AD", "AD", "AD"],
        "split": ["train", "train", "train", "train", "test", "external"],
        "age": [70.0, 80.0, np.nan, 71.0, 20.0, 99.0],
        "sex": ["F", "M", "F", "F", "M", "M"],
    }
)
MEMBERSHIP = pd.DataFrame({"space": ["images"], "auc": [0.61], "low": [0.4], "high": [np.nan], "shown": [np.True_]})


@pytest.fixture
def facts() -> ModelFacts:
    history = (EpochRecord(0, -1.0, -1.0, 0.1, 0.0, 0.0, ""),) * 7
    codes = Posterior(torch.zeros(3, 4), torch.zeros(3, 4))
    fitted = FittedVAE(VAEConfig(latent_dim=4), (5, 6, 7), {}, codes, None, history)
    generator = TrainedGenerator(fitted, "AD", SUBJECTS, "mark123", 3)
    run = RunFacts("own", "kedro run", 1, {"torch": "2.13"})
    config = RunConfig.model_validate({"study": {"name": "own", "source": "bids", "labels": ["CN", "AD"]}})
    return ModelFacts(generator, SPLITS, "No copies were found.", MEMBERSHIP, run, config)


def test_the_signature_is_that_of_the_decoder(facts):
    given = describe_model(facts)["signature"]

    assert given["input"] == {"name": "latent", "type": "float32", "shape": [-1, 4]}
    assert given["output"] == {"name": "image", "type": "float32", "shape": [-1, 5, 6, 7], "range": [0, 1]}


def test_the_data_are_those_that_it_was_fitted_to_and_no_others(facts):
    data = describe_model(facts)["data"]

    assert (data["subjects"], data["scans"]) == (3, 4)
    assert (data["age_mean"], data["age_sd"]) == (75.0, 7.1)
    assert data["sex"] == {"F": 2, "M": 1}


def test_no_subject_is_named_anywhere(facts):
    card = describe_model(facts)

    assert "CANARY" not in json.dumps(card, allow_nan=False) + card_as_markdown(card)


def test_fingerprint_training_and_versions_are_there(facts):
    card = describe_model(facts)

    assert (card["fingerprint"], card["seed"], card["kind"]) == ("mark123", 3, "vae")
    assert card["training"]["epochs_run"] == 7
    assert card["versions"] == {"torch": "2.13"}


def test_for_people_it_says_use_limits_copies_and_shape(facts):
    text = card_as_markdown(describe_model(facts))

    assert text.startswith("# Model card: own AD (vae)")
    for words in ("Intended use", "Not anonymous", "No copies were found.", "(n, 5, 6, 7)", "75.0 ± 7.1", "2 F, 1 M"):
        assert words in text
    assert "| images | 0.61 | 0.40 | – | yes |" in text


def test_unknown_age_and_sex_are_said_to_be_unknown(facts):
    bare = facts._replace(splits=SPLITS.drop(columns=["age", "sex"]), membership=pd.DataFrame())

    text = card_as_markdown(describe_model(bare))

    assert "| age (years) | unknown |" in text
    assert "| sex | unknown |" in text
    assert "AUC" not in text


def test_a_simulated_study_says_so_first(facts):
    simulated = {"name": "own", "source": "adni", "simulated": True, "labels": ["CN", "AD"]}
    config = RunConfig.model_validate({"study": simulated})

    text = card_as_markdown(describe_model(facts._replace(config=config, run=replace(facts.run, is_phantom=True))))

    assert "say nothing about patients" in text
