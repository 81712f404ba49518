"""The tables that a paper prints: every arm by every test set, and beside published figures where there are."""

from collections.abc import Iterator

import pandas as pd

from cohortsmith.config.run import RunConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.settings import Setting
from cohortsmith.reporting.arm_names import ENLARGED, REFERENCE, SYNTHETIC, read_arm
from cohortsmith.reporting.blocks import Block, Section, Table
from cohortsmith.reporting.content import Judgement, ReportContent
from cohortsmith.reporting.published import ADNI_AND_AIBL, SOURCE, Published
from cohortsmith.reporting.setting_tables import by_setting, rows_of, worded
from cohortsmith.reporting.tables import ABSENT, mean_and_spread

_METRICS = {"sensitivity": "sensitivity", "specificity": "specificity", "balanced_accuracy": "balanced accuracy"}
_OWN, _EXTERNAL = "test", "external"
_CAPTION = "Trained on the scans named left, tested on real scans only. Mean ± standard deviation over runs, in %."
_BESIDE = (
    f"Balanced accuracy in % beside that of {SOURCE}. Best: of all numbers of synthetic scans, the one with the "
    "highest mean on the very test set that it is shown for, as published; it flatters. Subjects and splits are not "
    "the same: what agrees is the protocol."
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


def _beside_published(config: RunConfig | None, judgement: Judgement) -> Iterator[Table]:
    if config is None or not _is_their_task(config.study):
        return
    rows = [
        [
            setting.training_set,
            setting.net,
            word,
            *_ours(judgement, setting, family, config),
            *_theirs(published, place),
        ]
        for setting, published in ADNI_AND_AIBL.items()
        if setting.net != "baseline" or config.classifier.kind in _BASELINES
        for place, (word, family) in enumerate(_ROWS.items())
    ]
    header = ["training set", "net", "trained on", "ours: ADNI", "ours: AIBL", "published: ADNI", "published: AIBL"]
    yield Table(_BESIDE, header, rows, [False] * 3 + [True] * 4)


def _is_their_task(study: StudyConfig) -> bool:
    return study.source == "adni" and not study.simulated and study.labels == ("CN", "AD")


# Their baseline network at either resolution; an optimised one is whatever a search finds.
_BASELINES = ("conv5_fc3", "conv5_fc3_down")
_ROWS = {"real": REFERENCE, "best synthetic only": SYNTHETIC, "best synthetic + real": ENLARGED}


def _theirs(published: Published, place: int) -> list[str]:
    return [f"{value:.1f}" for value in published[place]]


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
