"""The tables that a paper prints: every arm by every test set, and beside published figures where there are."""

from collections.abc import Iterator, Mapping

import pandas as pd

from cohortsmith.config.judge import Net
from cohortsmith.config.run import RunConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.settings import Setting
from cohortsmith.reporting.arm_names import ENLARGED, REFERENCE, SYNTHETIC, read_arm
from cohortsmith.reporting.blocks import Block, Paragraph, Section, Table
from cohortsmith.reporting.content import Judgement, ReportContent
from cohortsmith.reporting.published import (
    ADNI_AND_AIBL,
    SOURCE,
    Pair,
    PublishedNetwork,
    published_network,
    published_search,
)
from cohortsmith.reporting.setting_tables import by_setting, rows_of, worded
from cohortsmith.reporting.tables import ABSENT, mean_and_spread
from cohortsmith.reporting.wording import listed

_METRICS = {"sensitivity": "sensitivity", "specificity": "specificity", "balanced_accuracy": "balanced accuracy"}
_OWN, _EXTERNAL = "test", "external"
_CAPTION = "Trained on the scans named left, tested on real scans only. Mean ± standard deviation over runs, in %."
_BESIDE = (
    f"Balanced accuracy in %, mean ± standard deviation over runs, beside that of {SOURCE}; a dash where nothing was "
    "run or published. Best: of all numbers of synthetic scans, the one with the highest mean on the very test set "
    "that it is shown for, as published; it flatters. Subjects and splits are not the same, and training is not "
    "either. "
)
_TRAINING = {
    "half": "Here classes are balanced and half of every batch of real + synthetic is real, whatever the number of "
    "synthetic scans, and all arms take the same number of optimiser steps. There a network goes for a fixed number of "
    "epochs (baseline 100, optimised 50) over synthetic and real scans put together: with 50 real and 10 000 synthetic "
    "ones per diagnosis about 0.5 % of what it sees is real, and its steps grow with the number of scans.",
    "concatenated": "Here classes are balanced, and all arms take the same number of optimiser steps. There a network "
    "goes for a fixed number of epochs (baseline 100, optimised 50), so that its steps grow with the number of scans. "
    "Here as there, batches of real + synthetic are drawn from both put together: with 50 real and 10 000 synthetic "
    "ones per diagnosis about 0.5 % of what a network sees is real.",
}
_SEARCHED = (
    " The optimised network is the winner of this run's own search; the published one, of another search, is another."
)


def paper_sections(content: ReportContent) -> list[Section]:
    """Tabulate all arms as Chadebec's thesis (2023), tables 1.6 to 1.9, does; nothing where nothing was judged."""
    if content.judgement is None or content.judgement.arms.empty:
        return []
    tables = [_table(setting, arms) for setting, arms in by_setting(content.judgement.arms).items()]
    blocks: list[Block] = [*tables, *_beside_published(content.config, content.judgement)]
    return [Section("tables", "The table of a paper", blocks)]


def _table(setting: Setting, arms: pd.DataFrame) -> Table:
    test_sets = list(dict.fromkeys(arms["test_set"]))
    header = ["trained on", *(f"{test_set}: {word}" for test_set in test_sets for word in _METRICS.values())]
    rows = [
        [named(arm), *(cell for test_set in test_sets for cell in _cells(arms, arm, test_set))]
        for arm in _ordered(arms)
    ]
    told = f"{worded(setting)}. {_CAPTION}" if worded(setting) else _CAPTION
    return Table(told, header, rows, [False, *[True] * (len(header) - 1)])


def named(arm: str) -> str:
    """Word the name of an arm: `real+synthetic-500` is real + 500 synthetic per diagnosis."""
    family, dose = read_arm(arm)
    words = family.replace("+", " + ")
    return words if dose is None else words.replace("synthetic", f"{dose} synthetic per diagnosis")


def _ordered(arms: pd.DataFrame) -> list[str]:
    families = list(dict.fromkeys(read_arm(arm).family for arm in arms["arm"]))
    return sorted(dict.fromkeys(arms["arm"]), key=lambda arm: (families.index(read_arm(arm).family), read_arm(arm)[1:]))


def _cells(arms: pd.DataFrame, arm: str, test_set: str) -> list[str]:
    row = arms[(arms["arm"] == arm) & (arms["test_set"] == test_set)]
    if row.empty:
        return [ABSENT] * len(_METRICS)
    found = row.iloc[0]
    return [mean_and_spread(100 * found[f"{name}_mean"], 100 * found[f"{name}_sd"], 1) for name in _METRICS]


def _beside_published(config: RunConfig | None, judgement: Judgement) -> Iterator[Block]:
    if config is None or not _is_their_task(config.study):
        return
    networks = {net: _counterpart(config, net) for net in config.judge.nets}
    rows = [row for net, network in networks.items() if network for row in _rows(config, judgement, net, network)]
    if rows:
        header = ["training set", "net", "published network", "trained on", *_columns("ours"), *_columns("published")]
        told = _BESIDE + _TRAINING[config.judge.mixture]
        yield Table(told + _SEARCHED * config.judge.is_searched, header, rows, [False] * 4 + [True] * 4)
    others = [net for net, network in networks.items() if network is None]
    if others:
        why = "the published networks are others, or see images of another size"
        yield Paragraph(f"Not set beside {SOURCE}: {listed(others)}; {why}.")


def _columns(whose: str) -> list[str]:
    return [f"{whose}: ADNI", f"{whose}: AIBL"]


def _counterpart(config: RunConfig, net: Net) -> PublishedNetwork | None:
    classifier = config.classifier if net == "baseline" else config.judge.optimised
    if classifier is None:
        return published_search(config.preparation)
    return published_network(classifier, config.preparation)


def _rows(config: RunConfig, judgement: Judgement, net: Net, network: PublishedNetwork) -> Iterator[list[str]]:
    for training_set, published in ADNI_AND_AIBL[network].items():
        for name, word in _ROWS.items():
            ours = _ours(judgement, Setting(training_set, net), _FAMILIES[name], config)
            theirs = _theirs(getattr(published, name))
            yield [training_set, net, ", ".join(network), word, *ours, *theirs]


def _is_their_task(study: StudyConfig) -> bool:
    return study.source == "adni" and not study.simulated and study.labels == ("CN", "AD")


# By the fields of `Published`.
_ROWS = {"real": "real", "synthetic": "best synthetic only", "enlarged": "best synthetic + real"}
_FAMILIES: Mapping[str, str] = {"real": REFERENCE, "synthetic": SYNTHETIC, "enlarged": ENLARGED}


def _theirs(found: Pair | None) -> list[str]:
    return [ABSENT, ABSENT] if found is None else [mean_and_spread(*figure, 1) for figure in found]


def _ours(judgement: Judgement, setting: Setting, family: str, config: RunConfig) -> list[str]:
    arms = rows_of(judgement.arms, setting)
    if arms is None:
        return [ABSENT, ABSENT]
    external = _EXTERNAL if config.study.external_source == "aibl" else ""
    return [_best(arms, test_set, family) for test_set in (_OWN, external)]


def _best(arms: pd.DataFrame, test_set: str, family: str) -> str:
    alike = arms["arm"].map(lambda arm: read_arm(arm).family == family)
    rows = arms[alike & (arms["test_set"] == test_set)]
    if rows.empty:
        return ABSENT
    best = rows.loc[rows["balanced_accuracy_mean"].idxmax()]
    return mean_and_spread(100 * best["balanced_accuracy_mean"], 100 * best["balanced_accuracy_sd"], 1)
