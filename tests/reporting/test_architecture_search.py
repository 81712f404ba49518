"""The search's winner is told with how far it is ahead, and nothing where nothing was searched for."""

from dataclasses import replace

import pandas as pd
import pytest

from cohortsmith.reporting.content import Judgement
from cohortsmith.reporting.sections.architecture_search import search_blocks
from cohortsmith.reporting.sections.judgement import judgement_section

NAN = float("nan")
FOLDS = [(0.7, 0.8), (0.9, 0.8), (NAN, 0.9), (0.8, 0.9), (0.5, 0.6), (0.6, 0.6), (0.4, 0.5)]
WINNER = {"channels": [5, 10, 20], "convolutions": [1, 1, 3], "dense": [], "dropout": 0.25}
WINNER |= {"learning_rate": 0.00031, "weight_decay": 0.0}


@pytest.fixture
def searched(study) -> Judgement:
    rows = [
        {"architecture": k, "balanced_accuracy": sum(folds) / 2, "fold_0": folds[0], "fold_1": folds[1], "blocks": 3}
        for k, folds in enumerate(FOLDS)
    ]
    return replace(study.judgement, architectures=pd.DataFrame(rows), winner=WINNER)


def test_the_winner_is_described_by_its_layers_and_its_training(searched):
    table = search_blocks(searched)[2]

    assert [row[1] for row in table.rows] == ["5 (1), 10 (1), 20 (3)", "none", "0.250", "0.00031", "0"]


def test_blocks_without_counts_have_one_convolution_each(searched):
    plain = replace(searched, winner={**WINNER, "convolutions": [], "dense": [40, 9]})

    assert [row[1] for row in search_blocks(plain)[2].rows[:2]] == ["5 (1), 10 (1), 20 (1)", "40, 9"]


def test_the_best_five_are_ranked_with_their_spread_and_the_first_drawn_wins_a_tie(searched):
    rows = search_blocks(searched)[3].rows

    assert [row[0] for row in rows] == ["1", "3", "0", "5", "4"]
    # standard deviation of 0.8 and 0.9: 0.1 / sqrt(2)
    assert rows[0] == ["1", "0.850 ± 0.071", "0.800", "0.900"]


def test_architectures_that_diverged_are_counted(searched):
    assert (
        "of 7 random architectures over 2 folds of the full training set; 1 diverged" in search_blocks(searched)[1].text
    )


def test_a_search_where_none_diverged_says_so(searched):
    whole = replace(searched, architectures=searched.architectures.dropna())

    assert "none diverged" in search_blocks(whole)[1].text


def test_it_stands_with_the_verdict_and_only_where_there_was_a_search(study, searched):
    captions = [getattr(block, "caption", "") for block in judgement_section(replace(study, judgement=searched)).blocks]

    assert "The network that won." in captions
    assert search_blocks(study.judgement) == []
