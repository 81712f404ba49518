"""Numbers given to persons and sessions that the source does not name, kept from run to run."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from cohortsmith.imaging.bids import entities, scan_key
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.ledger import LedgerRow


def keep_names(
    inventory: Inventory, contents: Mapping[str, str], done: Mapping[str, str], last: Iterable[LedgerRow] = ()
) -> Inventory:
    """Give persons and sessions known from earlier runs their old numbers, and newcomers numbers above all of these.

    A scan is known by its content (`contents` by candidate, `done` by key) or by its candidate in the last ledger.
    """
    rows = [row for row in last if row.key]
    homes = {content: key for key, content in done.items()}
    known = {row.candidate: row.key for row in rows}
    known |= {name: homes[content] for name, content in contents.items() if content in homes}
    items = [(visit.key, visit.candidate) for visit in inventory.visits]
    items += [(one.key, one.candidate) for one in inventory.rejections if one.key]
    keys = _renamed(sorted(items), known, {*done, *(row.key for row in rows)})
    visits = [_named(visit, keys[visit.key]) for visit in inventory.visits]
    rejections = [one._replace(key=keys.get(one.key, "")) for one in inventory.rejections]
    return inventory._replace(
        visits=tuple(sorted(visits, key=lambda visit: visit.key)),
        rejections=tuple(sorted(rejections, key=lambda one: (one.key, one.candidate))),
    )


def _named(visit: Visit, key: str) -> Visit:
    subject, session = entities(key)
    return visit._replace(key=key, participant_id=f"sub-{subject}", session_id=f"ses-{session}")


def _renamed(items: list[tuple[str, str]], known: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    """Give provisional key -> key; items: provisional key and candidate."""
    old: dict[str, set[str]] = defaultdict(set)
    for key in taken:
        old[entities(key).subject].add(entities(key).session)
    wishes: dict[str, list[str]] = defaultdict(list)
    for key, candidate in items:
        wishes[entities(key).subject] += [entities(known[candidate]).subject] if candidate in known else []
    subjects = _numbered(wishes, set(old), 4)
    visits: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for key, candidate in items:
        subject, session = entities(key)
        before = entities(known[candidate]) if candidate in known else None
        is_same_person = before is not None and before.subject == subjects[subject]
        visits[subject][session] += [before.session] if before is not None and is_same_person else []
    sessions = {subject: _numbered(own, old[subjects[subject]], 2) for subject, own in visits.items()}
    provisional = {key: entities(key) for key, _ in items}
    return {
        key: scan_key(subjects[one.subject], sessions[one.subject][one.session]) for key, one in provisional.items()
    }


def _numbered(wishes: Mapping[str, list[str]], taken: set[str], width: int) -> dict[str, str]:
    """Grant each name the first of its wishes that is still free, else a number above all that were ever taken."""
    granted: dict[str, str] = {}
    given: set[str] = set()
    for name, wished in wishes.items():
        free = next((number for number in wished if number not in given), None)
        if free is not None:
            granted[name] = free
            given.add(free)
    highest = max((int(number) for number in taken if number.isdigit()), default=0)
    newcomers = (name for name in wishes if name not in granted)
    return granted | {name: f"{highest + place:0{width}d}" for place, name in enumerate(newcomers, 1)}
