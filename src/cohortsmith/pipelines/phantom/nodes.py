"""Simulate the embedded study and deliver it as the archives deliver theirs, traps included."""

from collections.abc import Iterable, Iterator
from typing import Literal

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import PhantomConfig
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.phantom.delivery.embedded import Delivery, deliver_person, deliver_tables, delivered_people
from cohortsmith.imaging.phantom.delivery.files import Files
from cohortsmith.imaging.stored import Stored

Role = Literal["training", "external"]
Saved = tuple[dict[str, bytes | None], dict[str, Stored | None]]


def draw_clinical_tables(phantom: PhantomConfig, *, role: Role) -> Files:
    """Draw the cohort and give the archive's tables of it."""
    return deliver_tables(phantom, role)


def simulate_scans(
    tables: object,
    present: frozenset[str],
    done: dict[str, Stored],
    phantom: PhantomConfig,
    execution: ExecutionConfig,
    *,
    role: Role,
) -> Iterator[Saved]:
    """Simulate everybody who is not delivered yet, file by file, each with the truth as record.

    present: files that are there. `tables` only orders this node after the tables.
    """
    mark = fingerprint("delivery", role, phantom)
    people = delivered_people(phantom, role)
    current = {key for key in people if key in done and _is_current(done[key], mark, present)}
    yield _removal({key: stored for key, stored in done.items() if key not in current})
    todo = {key: (phantom, role, number) for key, number in people.items() if key not in current}
    for outcome in run_items(deliver_one, todo, execution=execution, title=f"simulate {role} scans"):
        if outcome.error:
            raise outcome.error
        delivery: Delivery = outcome.value
        record = {**delivery.truth, "Delivered": sorted(delivery.files), "Fingerprint": mark}
        yield {**delivery.files}, {outcome.key: Stored(record)}


def deliver_one(phantom: PhantomConfig, role: Role, number: int) -> Delivery:
    """Simulate and deliver one person in a worker process."""
    return deliver_person(phantom, role, number)


def _is_current(stored: Stored, mark: str, present: Iterable[str]) -> bool:
    return stored.record.get("Fingerprint") == mark and set(stored.record["Delivered"]) <= set(present)


def _removal(stale: dict[str, Stored]) -> Saved:
    files = {name: None for stored in stale.values() for name in stored.record.get("Delivered", [])}
    return {**files}, dict.fromkeys(stale)
