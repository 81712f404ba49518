"""What the methods paragraph says that classifiers saw is what they were shown."""

import pytest

from cohortsmith.config.run import RunConfig
from cohortsmith.reporting.classifier_methods import describe_classifiers, networks_of

STUDY = {"name": "own", "source": "bids", "labels": ["CN", "AD"]}
BOTH = ["baseline", "optimised"]


def config(**blocks: object) -> RunConfig:
    return RunConfig.model_validate({"study": STUDY} | blocks)


def told(**blocks: object) -> str:
    return describe_classifiers(config(**blocks))


def test_half_of_every_batch_is_said_to_be_real_only_in_arms_where_it_is():
    arms = ["real", "synthetic", "real+synthetic", "real+vae-prior"]

    assert "half controls and half patients, drawn with replacement" in told()
    assert "In real+synthetic and real+vae-prior half of every batch was drawn from the real scans" in told(
        judge={"arms": arms}
    )
    assert "from the real scans" not in told(judge={"arms": ["real", "synthetic"]})


def test_batches_from_both_put_together_are_said_to_be_that():
    text = told(judge={"arms": ["real", "real+synthetic"], "mixture": "concatenated"})

    assert "In real+synthetic every batch was drawn from real scans and others put together." in text
    assert "half of every batch" not in text


def test_copies_are_said_to_control_for_random_draws_only_where_there_is_that_arm():
    assert "what other random draws alone change" not in told()
    assert "what other random draws alone change" in told(judge={"arms": ["real", "real+oversampling"]})


def test_classifiers_without_batches_see_all_scans_at_once():
    text = told(classifier={"kind": "random_forest"})

    assert "fitted once to all scans of an arm" in text
    assert "batch" not in text


def test_an_optimised_network_is_searched_for_or_given():
    searched = told(judge={"nets": BOTH})
    given = told(judge={"nets": BOTH, "optimised": {"kind": "densenet", "optimizer_steps": 70}})

    assert "best of 100 architectures" in searched
    assert "best of" not in given
    assert "The optimised classifiers were densely connected networks (Huang et al. 2017)." in given
    assert "200 (optimised: 70) steps" in given


@pytest.mark.parametrize(
    ("blocks", "nets"),
    [
        ({}, ["baseline"]),
        ({"judge": {"nets": BOTH}}, BOTH),
        ({"judge": {"nets": ["optimised"]}}, ["optimised"]),
        ({"classifier": {"kind": "random_forest"}}, []),
        ({"judge": {"nets": BOTH, "optimised": {"kind": "random_forest"}}}, ["baseline"]),
    ],
)
def test_only_networks_that_judged_have_batches(blocks, nets):
    assert list(networks_of(config(**blocks))) == nets
