"""What the kept networks of the judge are, what they are for, and what must not be done with them."""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from cohortsmith.config.run import RunConfig
from cohortsmith.reporting.blocks import Block, Bullets, Code, Paragraph, Section, Table
from cohortsmith.reporting.classifier_methods import count_runs, kept_arms, name_judge, name_kept_arms, networks_of
from cohortsmith.reporting.content import RunFacts
from cohortsmith.reporting.markdown import write_sections
from cohortsmith.reporting.methods import describe_preparation
from cohortsmith.reporting.model_blocks import pairs_table, signature_code
from cohortsmith.reporting.setting_tables import without_setting
from cohortsmith.reporting.tables import as_table, mean_and_spread
from cohortsmith.reporting.wording import PHANTOM_BANNER, listed

INTENDED = (
    "Research: to see what the networks of an arm learned, and to test them on further scans of the study that were "
    "prepared in the same way, such as synthetic ones.",
)
LIMITS = (
    "Not anonymous: the weights were fitted to scans of persons, and the header of every file names the participants "
    "whom its network saw. Keep the files under the same rules as the scans themselves.",
    "They know this study's scanners, template and age range only, and repeat the biases of its subjects.",
    "They are no medical device: none of them may tell a person's diagnosis or guide the care of one.",
)
_CONTROL = (
    "Networks of random-labels are controls: trained and selected on permuted labels, they learned nothing of the "
    "diagnoses."
)
_FITTED = (
    "Not kept are {}: what scikit-learn fits could be kept by pickle only, and to read such a file is to run what is "
    "in it."
)
_SETS = ("train", "validation", "test", "external", "unused")
_READ = """\
from pathlib import Path

import numpy as np

from cohortsmith.models.classifier_batches import Labelled, source_of
from cohortsmith.models.classifier_file import read_about, read_classifier_file
from cohortsmith.models.classifier_training import predict

file = Path("{file}")
network, about = read_classifier_file(file), read_about(file)
images = np.load("../../../05_model_input/{study}/images.npy", mmap_mode="r")[:4]  # (n, *shape) in [0, 1]
labels = np.zeros(len(images), dtype=np.int64)  # asked for, not looked at
probabilities = predict(network, source_of(Labelled(images, labels)))  # (n,), of the patients' diagnosis
print(about["arm"], about["seed"], network.best_step, probabilities)
"""


class ClassifierFacts(NamedTuple):
    """What is known of the judge's networks.

    splits: one row per scan. arms: of `evaluation.scores.summarise_arms`, with training_set and net.
    shape: of an image.
    """

    splits: pd.DataFrame
    arms: pd.DataFrame
    shape: tuple[int, ...]
    run: RunFacts
    config: RunConfig


def write_classifier_card(facts: ClassifierFacts) -> str:
    """Write the one card of all kept networks; no subject is named."""
    title = f"Model card: {facts.run.study} classifiers"
    if not kept_arms(facts.config):
        return write_sections(title, [], list(_not_kept(facts.config)))
    sections = [
        Section("data", "Data", list(_data(facts))),
        Section("networks", "Networks", list(_networks(facts.config))),
        Section("use", "Intended use", [Bullets(INTENDED)]),
        Section("limits", "Limits", [Bullets(list(_limits(facts.config)))]),
        Section("performance", "How well they tell diagnoses apart", [_performance(facts)]),
        Section("signature", "Input and output", list(_signature(facts))),
        Section("reading", "How to read a file", list(_reading(facts))),
        Section("versions", "Versions", [pairs_table("Libraries and code.", dict(facts.run.versions))]),
    ]
    return write_sections(title, sections)


def _data(facts: ClassifierFacts) -> Iterator[Block]:
    study = facts.config.study
    if study.simulated:
        yield Paragraph(PHANTOM_BANNER, "warning")
    yield Paragraph(f"Study {study.name} ({study.source}): {study.labels[1]} (patients) and {study.labels[0]}.")
    yield _subjects(facts)
    yield Paragraph(describe_preparation(facts.config.preparation))


def _subjects(facts: ClassifierFacts) -> Table:
    groups = facts.splits.groupby(["split", "diagnosis"])["participant_id"].agg(subjects="nunique", scans="size")
    order = [(name, label) for name in _SETS for label in facts.config.study.labels if (name, label) in groups.index]
    caption = (
        "Who is in which set of the study's own split. Networks of other training sets, and of folds, saw the subjects "
        "that their header names."
    )
    return as_table(groups.loc[order].reset_index(), caption)


def _networks(config: RunConfig) -> Iterator[Block]:
    yield Paragraph(
        f"Kept are networks of {name_kept_arms(config)} (judge.keep_weights: {config.judge.keep_weights}), trained "
        f"with {count_runs(config)}: a file per training set or fold, network, arm and seed, but none of a training "
        "that diverged. It holds the state with the best balanced accuracy on real validation scans, the earliest of "
        "equal ones; its header says of which step, whom the network saw, and by which settings. Files that other "
        "configurations left may lie beside these."
    )
    rows = [
        [net, name_judge(config, net), str(stated.optimizer_steps), str(stated.evaluations)]
        for net, stated in networks_of(config).items()
    ]
    header = ["network", "kind", "optimiser steps", "validations"]
    yield Table("Kinds of networks.", header, rows, [False, False, True, True])
    yield from _not_kept(config)


def _not_kept(config: RunConfig) -> Iterator[Block]:
    fitted = [name_judge(config, net) for net in config.judge.nets if net not in networks_of(config)]
    if fitted:
        yield Paragraph(_FITTED.format(listed(fitted)))


def _limits(config: RunConfig) -> Iterator[str]:
    yield from LIMITS
    if "random-labels" in kept_arms(config):
        yield _CONTROL


def _kept_rows(facts: ClassifierFacts) -> pd.DataFrame:
    arms = facts.arms
    return arms[arms["arm"].isin(kept_arms(facts.config)) & arms["net"].isin(list(networks_of(facts.config)))]


def _performance(facts: ClassifierFacts) -> Table:
    rows = without_setting(_kept_rows(facts))
    means = zip(rows["balanced_accuracy_mean"], rows["balanced_accuracy_sd"], strict=True)
    named = [name for name in ("training_set", "net", "test_set", "arm", "n_seeds") if name in rows]
    table = rows[named].assign(balanced_accuracy=[mean_and_spread(*one) for one in means])
    return as_table(
        table,
        "Balanced accuracy on real test subjects: mean ± standard deviation over runs (seeds, or repeats). The report "
        "of the run gives intervals.",
    )


def _signature(facts: ClassifierFacts) -> Iterator[Block]:
    control, patient = facts.config.study.labels
    given = {
        "input": {"name": "image", "type": "float32", "shape": [-1, 1, *facts.shape]},
        "output": {"name": "logits", "type": "float32", "shape": [-1, 2]},
    }
    yield signature_code("A network: images in [0, 1] to two logits.", given)
    yield Paragraph(
        f"The first logit is that of {control}, the second that of {patient}; the second value of their softmax is the "
        f"probability of {patient}."
    )


def _reading(facts: ClassifierFacts) -> Iterator[Block]:
    first = _kept_rows(facts).iloc[0]
    # As the judge names them, for the study's own training sets; those of folds are repeat-00_fold-0 and so on.
    file = (
        f"{first['training_set']}_net-{first['net']}_arm-{first['arm'].replace('+', 'And')}"
        f"_seed-{facts.config.judge.first_seed}.safetensors"
    )
    yield Code(
        "In Python, from this folder, one of its files. The scans must be prepared as above; the first four of the "
        "study stand for them.",
        _READ.format(file=file, study=facts.run.study),
    )
    yield Paragraph(
        "The header's subjects are those whom a network was trained or selected on: what it says of their scans is no "
        "test of it."
    )
