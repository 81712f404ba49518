"""Refuse a judgement in which a held-out subject was seen, by a classifier or by a generator."""

from collections.abc import Iterable, Mapping
from itertools import combinations

from cohortsmith.errors import LeakageError


def subject_of(key: str) -> str:
    """Give the subject of a participant id or BIDS key: sub-X_ses-Y -> sub-X."""
    return key.split("_", 1)[0]


def person_of(key: str) -> str:
    """Give what two keys of one person share: the subject, however it is capitalised."""
    return subject_of(key.strip()).casefold()


def assert_no_leak(splits: Mapping[str, Iterable[str]], ancestry: Mapping[str, Iterable[str]]) -> None:
    """Check that no subject is in two splits and that every generator descends from training subjects only.

    splits: split name -> participant ids or BIDS keys (any session); "train" is what generators may see, every
        other split is held out. ancestry: generator's label -> ids or keys of what it was trained on.

    Raises:
        LeakageError: a subject is in two splits, or a generator saw one that is not a training subject.
    """
    subjects = {name: {person_of(key) for key in keys} for name, keys in splits.items()}
    for (one, ones), (other, others) in combinations(subjects.items(), 2):
        _refuse(
            ones & others,
            f"subjects are both in {one} and in {other}",
            "split by subject; if they are other people, rename them",
        )
    for label, ancestors in ancestry.items():
        seen = {person_of(key) for key in ancestors}
        for name, held_out in subjects.items():
            if name != "train":
                _refuse(seen & held_out, f"the {label} generator saw {name} subjects", "train it again")
        strangers = seen - subjects.get("train", set())
        _refuse(strangers, f"the {label} generator saw subjects that are in no split", "train it again")


def _refuse(leaked: set[str], what: str, remedy: str) -> None:
    if leaked:
        shown = ", ".join(sorted(leaked)[:5])
        raise LeakageError(
            what,
            where="judge",
            got=f"{len(leaked)} subjects: {shown}" + (", ..." if len(leaked) > 5 else ""),
            expected="no subject on both sides",
            remedy=remedy,
        )
