"""Who descends from whom: no generator of a partition may have seen whom that partition holds out."""

import pandas as pd

from cohortsmith.config.study import StudyConfig
from cohortsmith.evaluation.leakage import assert_no_leak

from .sources import Source, Sources

# Their ids name one person each, whichever download they come from.
_ARCHIVES = ("adni", "aibl", "oasis1")


def refuse_leaks(study: StudyConfig, partitions: pd.DataFrame, sources: Sources) -> pd.DataFrame:
    """Refuse a partition whose generators saw a held-out subject, by any session; else say whom each one saw.

    One row per generator and subject: partition, origin, diagnosis, generator (its fingerprint, which is also in the
    record of every synthetic scan), participant_id.

    Raises:
        LeakageError: a subject is on two sides of a partition, or a generator saw more than training subjects.
    """
    flat = [source for group in sources.values() for source in group]
    for name, rows in partitions.groupby("partition", sort=False):
        seen = {f"{one.label} ({one.origin}, {name})": list(one.subjects) for one in flat if one.partition == name}
        _refuse(rows, seen, same_people=_is_one_archive(study))
    rows = [(*_names(source), subject) for source in flat for subject in source.subjects]
    return pd.DataFrame(rows, columns=["partition", "origin", "diagnosis", "generator", "participant_id"])


def _names(source: Source) -> tuple[str, str, str, str]:
    return source.partition, source.origin, source.label, source.mark


def _is_one_archive(study: StudyConfig) -> bool:
    return study.source in _ARCHIVES and study.external_source in (None, study.source)


def _refuse(splits: pd.DataFrame, ancestry: dict[str, list[str]], *, same_people: bool) -> None:
    subjects = {str(name): rows["participant_id"].tolist() for name, rows in splits.groupby("split")}
    if not same_people:
        # Another study may use the same ids for other people: its subjects get its name.
        subjects["external"] = [f"external/{subject}" for subject in subjects.get("external", [])]
    assert_no_leak(subjects, ancestry)
