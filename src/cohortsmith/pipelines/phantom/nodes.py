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


def draw_clinical_table(phantom: PhantomConfig, *, role: Role) -> pd.DataFrame:
    """Draw the clinical table, one row per subject."""
    return draw_cohort(phantom, role)


def simulate_scans(
    table: pd.DataFrame,
    done: dict[str, Stored],
    phantom: PhantomConfig,
    execution: ExecutionConfig,
    *,
    role: Role,
) -> Iterator[dict[str, Stored | None]]:
    """Simulate every scan of the table that is not there yet, each with its truth as record."""
    mark = fingerprint("phantom", role, phantom)
    todo = {
        subject: (phantom, role, index)
        for index, subject in enumerate(table["subject"])
        if subject not in done or done[subject].record.get("Fingerprint") != mark
    }
    yield {subject: None for subject in done if subject not in set(table["subject"])}
    for outcome in run_items(simulate_one, todo, workers=execution.workers, title=f"simulate {role} scans"):
        if outcome.error:
            raise outcome.error
        stored: Stored = outcome.value
        yield {outcome.key: stored._replace(record={**stored.record, "Fingerprint": mark})}


def simulate_one(phantom: PhantomConfig, role: Role, index: int) -> Stored:
    """Simulate the scan of the table's row `index` in a worker process, with what it was made from."""
    scan = make_scan(phantom, role, index)
    return Stored({**scan.truth._asdict(), "pose": scan.truth.pose.tolist()}, scan.volume)
