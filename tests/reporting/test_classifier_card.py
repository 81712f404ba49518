"""The card of kept networks: whom they were made of, what they are for, and how to read them, with nobody's name."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cohortsmith.config.classifier import CustomConfig
from cohortsmith.config.run import RunConfig
from cohortsmith.evaluation.partitions import partition_scans
from cohortsmith.models.classifier import build_classifier
from cohortsmith.models.classifier_batches import Labelled, source_of
from cohortsmith.models.classifier_file import write_classifier
from cohortsmith.models.classifier_training import ClassifierFit, Evaluation, predict
from cohortsmith.pipelines.judge.jobs import choose_networks, plan_classifiers
from cohortsmith.pipelines.report.model_nodes import write_classifiers_card
from cohortsmith.reporting.classifier_card import ClassifierFacts, write_classifier_card
from cohortsmith.reporting.content import RunFacts

SHAPE = (6, 5)
STUDY = {"name": "own", "source": "bids", "labels": ["CN", "AD"]}
NETWORK = {"kind": "custom", "channels": [2], "strides": [1], "dense": [4], "optimizer_steps": 90, "evaluations": 3}
ARMS = ["real", "synthetic", "real+synthetic", "random-labels"]
RUN = RunFacts("own", "kedro run", 1, {"torch": "2.13"})


def splits() -> pd.DataFrame:
    names = [f"sub-CANARY{row}" for row in (0, 0, 1, 2, 3, 4, 5, 6, 7, 8)]
    table = pd.DataFrame({"participant_id": names, "key": [f"{name}-{row}" for row, name in enumerate(names)]})
    table["split"] = ["train", "train", "train", "train", "validation", "validation", "test", "test", "unused", "test"]
    table["diagnosis"] = ["AD", "AD", "CN", "AD", "CN", "AD", "CN", "AD", "AD", "AD"]
    return table.assign(fingerprint=table["key"], training_set=["train-full"] * 4 + [None] * 4 + ["train-full", None])


def arms(nets: tuple[str, ...] = ("baseline",)) -> pd.DataFrame:
    rows = [
        {
            "training_set": "train-full",
            "net": net,
            "test_set": test_set,
            "arm": arm,
            "n_seeds": 5,
            "balanced_accuracy_mean": 0.7 + place / 10 - loss,
            "balanced_accuracy_sd": np.nan if arm == "synthetic" else 0.0312,
        }
        for net in nets
        for test_set, loss in (("test", 0.0), ("external", 0.05))
        for place, arm in enumerate(ARMS)
    ]
    return pd.DataFrame(rows)


def config(judge: dict[str, Any] | None = None, study: dict[str, Any] | None = None, **blocks: Any) -> RunConfig:
    settings = {"classifier": NETWORK, **blocks, "judge": {"arms": ARMS, **(judge or {})}}
    return RunConfig.model_validate({"study": {**STUDY, **(study or {})}, **settings})


def card(scores: pd.DataFrame | None = None, **settings: Any) -> str:
    scores = arms() if scores is None else scores
    return write_classifier_card(ClassifierFacts(splits(), scores, SHAPE, RUN, config(**settings)))


def code_of(text: str) -> str:
    block = text[text.index("How to read a file") : text.index("The header's subjects")]
    return "\n".join(line[4:] for line in block.splitlines() if line.startswith("    ") or not line)


def name_of_file(text: str) -> str:
    found = re.search(r'Path\("(.+)"\)', text)
    assert found
    return found[1]


def test_subjects_and_scans_are_counted_per_set_and_diagnosis_controls_first():
    table = card().split("| split | diagnosis | subjects | scans |\n")[1].split("\n\n")[0].splitlines()

    assert table[1:] == [
        "| train | CN | 1 | 1 |",
        "| train | AD | 2 | 3 |",
        "| validation | CN | 1 | 1 |",
        "| validation | AD | 1 | 1 |",
        "| test | CN | 1 | 1 |",
        "| test | AD | 2 | 2 |",
        "| unused | AD | 1 | 1 |",
    ]


def test_no_subject_is_named_and_the_files_are_said_to_name_them():
    text = card(judge={"keep_weights": "all"})

    assert "CANARY" not in text
    assert "Not anonymous" in text
    assert "header of every file names the participants" in text


def test_of_the_arm_real_alone_everything_is_said_by_default_and_of_no_other():
    text = card()

    assert "Kept are networks of the arm real alone (judge.keep_weights: real), trained with 5 seeds per arm" in text
    assert "| test | real | 5 | 0.70 ± 0.03 |" in text
    assert "| external | real | 5 | 0.65 ± 0.03 |" in text
    assert "| synthetic |" not in text
    assert "random-labels" not in text


def test_where_all_are_kept_every_arm_is_scored_and_controls_are_said_to_know_nothing():
    text = card(judge={"keep_weights": "all"})

    assert "Kept are networks of every arm (judge.keep_weights: all)" in text
    assert text.count("| 5 | ") == 2 * len(ARMS)
    assert "| test | synthetic | 5 | 0.80 |" in text
    assert "Networks of random-labels are controls" in text


def test_each_kind_of_network_is_named_with_its_steps_and_scored_apart():
    both = {"nets": ["baseline", "optimised"], "optimised": {"kind": "mlp", "optimizer_steps": 70}}
    text = card(arms(("baseline", "optimised")), judge=both)

    assert "| baseline | convolutional networks | 90 | 3 |" in text
    assert "| optimised | multi-layer perceptrons | 70 | 10 |" in text
    assert "| train-full | optimised | test | real | 5 |" in text


def test_of_a_searched_network_the_steps_are_those_of_the_search():
    text = card(judge={"nets": ["optimised"]}, scores=arms(("optimised",)), random_search={"optimizer_steps": 55})

    assert "| optimised | the winner of a random search | 55 | 10 |" in text


def test_where_only_scikit_learn_judged_one_sentence_says_that_nothing_is_kept():
    text = card(classifier={"kind": "random_forest"})

    assert text.startswith(
        "# Model card: own classifiers\n\nNot kept are random forests (Breiman 2001) of scikit-learn"
    )
    assert len(text.splitlines()) == 3


def test_a_classifier_of_scikit_learn_beside_a_network_is_said_not_to_be_kept():
    both = {"nets": ["baseline", "optimised"], "optimised": {"kind": "mlp"}}
    text = card(arms(("baseline", "optimised")), classifier={"kind": "random_forest"}, judge=both)

    assert "Not kept are random forests" in text
    assert "net-optimised_arm-real" in text
    assert "| baseline |" not in text


def test_the_signature_is_that_of_a_network_and_the_second_logit_the_patients():
    network = build_classifier(CustomConfig(**NETWORK), SHAPE, torch.Generator())
    text = card()

    assert "input  image  float32  (n, 1, 6, 5)" in text
    assert "output logits  float32  (n, 2)" in text
    assert network(torch.zeros(3, 1, *SHAPE)).shape == (3, 2)
    assert "first logit is that of CN, the second that of AD" in text


def test_a_simulated_study_says_so_first_and_any_says_its_preparation_and_versions():
    simulated = {"source": "adni", "simulated": True}

    assert "say nothing about patients" in card(study=simulated).split("## ")[1]
    assert "say nothing about patients" not in card()
    assert "corrected for bias fields" in card()
    assert "| torch | 2.13 |" in card()


@pytest.mark.parametrize(("keep", "arm"), [("real", "real"), ("all", "real+classic")])
def test_the_file_that_is_read_has_the_name_that_the_judge_gives_it(keep, arm, tmp_path):
    judge = {"keep_weights": keep, "arms": [arm], "first_seed": 7}
    np.save(tmp_path / "images.npy", np.zeros((len(splits()), *SHAPE), dtype=np.float32))
    images, given = np.load(tmp_path / "images.npy", mmap_mode="r"), config(judge)
    partitions = partition_scans(splits(), given.split, ["train-full"])
    networks = choose_networks(NETWORK, given.judge)

    planned = plan_classifiers(given.study, given.judge, networks, splits(), partitions, images, {}, Path("weights"))

    name = name_of_file(card(arms().replace("real", arm), judge=judge))
    assert name == next(iter(planned.values())).weights.name


def test_the_code_that_the_card_shows_reads_a_file_and_asks_it_of_scans(tmp_path, monkeypatch, capsys):
    network = build_classifier(CustomConfig(**NETWORK), SHAPE, torch.Generator().manual_seed(3))
    fit = ClassifierFit(CustomConfig(**NETWORK), SHAPE, network.state_dict(), 60, (Evaluation(60, 0.1, 0.9),))
    images = np.random.default_rng(0).random((6, *SHAPE), dtype=np.float32)
    (tmp_path / "05_model_input" / "own").mkdir(parents=True)
    np.save(tmp_path / "05_model_input" / "own" / "images.npy", images)
    text = write_classifiers_card(splits(), arms(), images, RUN, config())
    assert "(n, 1, 6, 5)" in text
    folder = tmp_path / "06_models" / "own" / "classifiers"
    write_classifier(folder / name_of_file(text), fit, {"arm": "real", "seed": 0})
    monkeypatch.chdir(folder)

    names: dict[str, Any] = {}
    exec(code_of(text), names)  # what a reader would paste

    expected = predict(fit, source_of(Labelled(images[:4], np.zeros(4, dtype=np.int64))))
    assert np.array_equal(names["probabilities"], expected)
    assert len(np.unique(expected)) > 1
    assert capsys.readouterr().out.startswith("real 0 60 [")
