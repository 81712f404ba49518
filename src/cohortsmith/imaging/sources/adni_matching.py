"""Which clinical visit of ADNI an image belongs to: by the archive's name of the visit, else by date.

Of each person, the images of one visit name, or without it of one day, are one group; a visit has one group at most.
  1. A group takes the visit that its name stands for in the protocol in which the person joined (ORIGPROT).
  2. The other groups, by date, take the visit that is left and closest. Where it is more than 90 days away, and the
     images lie between the second closest, earlier one and it, within 30 days of the middle, they take the earlier one.
Source: the rules of Clinica's converter (Samper-González et al., NeuroImage 2018), as of 2021 and 2026.
"""

import re
from collections import defaultdict
from typing import NamedTuple

import pandas as pd

from cohortsmith.imaging.sources.field_map import AdniVisits, VisitLabels

_SUCCESSOR = 54  # months: the protocol that followed ADNI1 took over its visits from month 54 on


class _Dated(NamedTuple):
    """A visit or a group of images of one person, by its day as an ordinal number."""

    day: int
    name: str


def match_visits(images: pd.DataFrame, visits: pd.DataFrame, names: AdniVisits) -> pd.DataFrame:
    """Give each image the code of its visit, empty if it has none, and the days from it to the image.

    images: rows of `adni_images`. visits: rows of `adni_visits`. Returns columns code and gap, on the images' index;
    gap is NaN where the visit's name decided.
    """
    group = images["label"].where(images["label"] != "", images["scanned"].dt.strftime("%Y-%m-%d").fillna(""))
    keyed = images[["person", "label", "scanned"]].assign(group=group)
    groups = keyed.groupby(["person", "group"], sort=False, as_index=False).agg({"scanned": "min", "label": "first"})
    groups = groups[groups["group"] != ""]
    by_name = _by_name(groups, visits, names)
    by_date = _by_date(_without(groups, by_name, "group"), _without(visits, by_name, "code"), names)
    matched = pd.concat([by_name.assign(gap=float("nan")), by_date], ignore_index=True)
    found = keyed.merge(matched, "left", ["person", "group"])[["code", "gap"]].set_axis(images.index)
    return found.assign(code=found["code"].fillna(""), gap=found["gap"].astype(float))


def _without(frame: pd.DataFrame, taken: pd.DataFrame, column: str) -> pd.DataFrame:
    both = ["person", column]
    return frame[~pd.MultiIndex.from_frame(frame[both]).isin(pd.MultiIndex.from_frame(taken[both]))]


def _by_name(groups: pd.DataFrame, visits: pd.DataFrame, names: AdniVisits) -> pd.DataFrame:
    distinct = visits[["original_protocol", "code"]].drop_duplicates().itertuples(index=False, name=None)
    expected = pd.DataFrame(
        [
            (protocol, code, order, label)
            for protocol, code in distinct
            for order, label in enumerate(expected_labels(protocol, code, names))
        ],
        columns=["original_protocol", "code", "order", "group"],
    )
    rows = visits[["person", "code", "original_protocol"]].merge(expected, on=["original_protocol", "code"])
    rows = rows.merge(groups[["person", "group"]], on=["person", "group"]).sort_values("order", kind="stable")
    return rows.drop_duplicates(["person", "group"]).drop_duplicates(["person", "code"])[["person", "group", "code"]]


def expected_labels(protocol: str, code: str, names: AdniVisits) -> list[str]:
    """List the names, in lower case and best first, that images of a visit may have in the lists of images.

    Where the protocol is not known, those of all protocols.
    """
    own = [names.labels[protocol]] if protocol in names.labels else list(names.labels.values())
    if code == names.baseline[0]:
        texts = [*(text for labels in own for text in labels.bl), *names.screening, *names.baseline]
    elif match := re.fullmatch(r"m([0-9]+)", code):
        texts = [*(text for labels in own for text in _of_month(labels, int(match[1]))), code]
    else:
        texts = []
    return list(dict.fromkeys(text.lower() for text in texts))


def _of_month(labels: VisitLabels, month: int) -> list[str]:
    special = {3: labels.m03, 6: labels.m06}.get(month, ())
    early = labels.before_month_54 if month < _SUCCESSOR else ()
    templates = special or early or labels.later
    # 18 months are no whole number of years: there is no such visit.
    whole = [template for template in templates if "{year}" not in template or month % 12 == 0]
    return [template.format(month=month, year=month // 12) for template in whole]


def _by_date(groups: pd.DataFrame, visits: pd.DataFrame, names: AdniVisits) -> pd.DataFrame:
    never = {name.lower() for name in names.not_by_date}
    open_groups = _by_person(groups[~groups["label"].isin(never)], "scanned", "group")
    open_visits = _by_person(visits, "exam", "code")
    rows = [
        (person, name, code, gap)
        for person, dated in open_groups.items()
        for name, code, gap in _closest(dated, open_visits.get(person, []), names)
    ]
    return pd.DataFrame(rows, columns=["person", "group", "code", "gap"])


def _by_person(frame: pd.DataFrame, date: str, name: str) -> dict[str, list[_Dated]]:
    dated = frame[frame[date].notna()]
    days = (dated[date] - pd.Timestamp("1900-01-01")).dt.days
    people: dict[str, list[_Dated]] = defaultdict(list)
    for person, day, label in zip(dated["person"], days, dated[name], strict=True):
        people[person].append(_Dated(int(day), label))
    return {person: sorted(found) for person, found in people.items()}


def _closest(groups: list[_Dated], visits: list[_Dated], names: AdniVisits) -> list[tuple[str, str, int]]:
    left, pairs = list(visits), []
    for group in groups:
        if left:
            visit = choose_visit(group.day, left, names.far, names.midpoint)
            left.remove(visit)
            pairs.append((group.name, visit.name, group.day - visit.day))
    return pairs


def choose_visit(day: int, visits: list[_Dated], far: int, midpoint: int) -> _Dated:
    """Choose the visit of images made on a day: rule 2 at the top of this file. Of two as close, the earlier."""
    closest, *others = sorted(visits, key=lambda visit: (abs(visit.day - day), visit.day))
    if abs(closest.day - day) <= far or not others:
        return closest
    second = others[0]
    is_between = second.day < day < closest.day
    return second if is_between and abs(day - (second.day + closest.day) / 2) <= midpoint else closest
