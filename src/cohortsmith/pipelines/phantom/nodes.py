"""Simulate the embedded study and deliver it as a hospital would: scans in a folder beside a clinical table."""

from collections.abc import Iterator
from typing import Literal

import pandas as pd

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import PhantomConfig
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.phantom import draw_cohort, make_scan
from cohortsmith.imaging.stored import Stored

Role = Literal["training", "external"]


def draw_clinical_table(role: Role, phantom: PhantomConfig) -> pd.DataFrame:
    """Draw the clinical table, one row per subject."""
    return draw_cohort(phantom, role)


def simulate_scans(
    role: Role,
    table: pd.DataFrame,
    done: dict[str, Stored],
    phantom: PhantomConfig,
    execution: ExecutionConfig,
) -> Iterator[dict[str, Stored]]:
    """Simulate every scan of the table that is not there yet, each with its truth as record."""
    mark = fingerprint("phantom", role, phantom)
    todo = {
        str(subject): (phantom, role, str(subject))
        for subject in table["subject"]
        if str(subject) not in done or done[str(subject)].record.get("Fingerprint") != mark
    }
    yield {}
    for outcome in run_items(simulate_one, todo, workers=execution.workers, title=f"simulate {role} scans"):
        if outcome.error:
            raise outcome.error
        stored: Stored = outcome.value
        yield {outcome.key: stored._replace(record={**stored.record, "Fingerprint": mark})}


def simulate_one(phantom: PhantomConfig, role: Role, subject: str) -> Stored:
    """Simulate one subject's scan in a worker process."""
    scan = make_scan(phantom, role, subject)
    return Stored(scan.truth._asdict() if hasattr(scan.truth, "_asdict") else dict(scan.truth), scan.volume)
