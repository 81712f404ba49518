"""Ingest spoiled deliveries, round after round, and check the laws: `python -m benchmarks.fuzz_ingestion --seconds 60`.

A round takes a valid delivery of the phantom study, does a few things to its tables, headers, files and names, and
ingests it: only `CohortsmithError` may be raised, in = converted + rejected, nothing is written outside the output
folder, no text that is written or logged holds control characters or formulas, and time and memory are bounded.
Every distinct failure is printed once, with what repeats it: `--seed S --round N`.
"""

import argparse
import contextlib
import io
import logging
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pandas as pd

from benchmarks.fuzz.deliveries import SOURCES, deliver
from benchmarks.fuzz.laws import (
    picture,
    require,
    require_balance,
    require_complete,
    require_harmless_table,
    require_plain,
)
from benchmarks.fuzz.mutations import mutate
from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.datasets.atomically import Atomically
from cohortsmith.datasets.bids_folder import BidsFolder
from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.errors import CohortsmithError
from cohortsmith.imaging.sources import Visit
from cohortsmith.imaging.sources.plan import IngestPlan
from cohortsmith.imaging.stored import Stored
from cohortsmith.pipelines.ingest import nodes
from cohortsmith.records import Rejection

TIME_LIMIT = 30.0  # CPU seconds of one round
WAITING_LIMIT = 6  # tens of seconds
MEMORY_LIMIT = 2 * 10**9  # bytes above what the process had before
ADDRESS_SPACE = 12 * 10**9
FILE_SIZE = 10**9
_TABLE = {"type": "pandas.CSVDataset", "save_args": {"sep": "\t", "index": False, "na_rep": "n/a"}}
_ROLE = "training"
SHARE_CONVERTED = 0.3


class TooSlow(BaseException):
    """A round has used up its time; nothing may catch it on the way."""


class Round(NamedTuple):
    """One round: what was delivered and done to it, how it ended."""

    source: str
    mutations: list[str]
    ending: str


class Texts(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def fuzz(seed: int, number: int, sources: tuple[str, ...]) -> Round:
    """Do one round; raise what breaks a law."""
    rng = random.Random(f"{seed}/{number}")
    source = rng.choice(sources)
    with tempfile.TemporaryDirectory(prefix="cohortsmith-fuzz-") as scratch, _own_temporary(Path(scratch)):
        root, out = Path(scratch, "in"), Path(scratch, "out")
        root.mkdir()
        out.mkdir()
        Path(scratch, "outside").mkdir()
        Path(scratch, "outside", "secret.nii").write_bytes(b"QZSECRET")
        study = deliver(source, root, rng)
        done = mutate(root, rng)
        before = picture(Path(scratch), out)
        with _limited():
            ending = _ingest_or_refusal(study, out, rng)
        require(picture(Path(scratch), out) == before, "nothing is written outside the output folder")
        return Round(source, done, ending)


@contextlib.contextmanager
def _own_temporary(scratch: Path) -> Iterator[None]:
    folder, before = scratch / "tmp", tempfile.tempdir
    folder.mkdir()
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    ticks = iter(range(WAITING_LIMIT))

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {TIME_LIMIT:g} s")

    def tick(number: int, frame: FrameType | None) -> None:
        if next(ticks, None) is None:
            raise TooSlow(f"waited more than {10 * WAITING_LIMIT} s")

    signal.signal(signal.SIGPROF, stop)
    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_PROF, TIME_LIMIT)
    signal.setitimer(signal.ITIMER_REAL, 10, 10)  # a process that is paused misses its ticks
    Path("/proc/self/clear_refs").write_text("5")
    start = _status("VmRSS")
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    require(_status("VmHWM") - start < MEMORY_LIMIT, "memory stays bounded")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def _ingest_or_refusal(study: StudyConfig, out: Path, rng: random.Random) -> str:
    said, printed = Texts(), io.StringIO()
    logging.getLogger().addHandler(said)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _ingest(study, out, rng)
    except CohortsmithError as error:
        require_plain("an error", str(error))
        require(len(str(error)) < 5000, "an error can be read")
        return type(error).__name__
    finally:
        logging.getLogger().removeHandler(said)
        for line in said.lines:
            require_plain("the log", line)
        require("QZSECRET" not in printed.getvalue(), "nothing from outside is printed")
        require_plain("what is printed", printed.getvalue())


def _ingest(study: StudyConfig, out: Path, rng: random.Random) -> str:
    """Ingest as Kedro does, but in this process; say whether any scan was converted."""
    ingest = IngestConfig(diagnoses=rng.choice(["all", "labels"]), sessions=rng.choice(["all", "all", "first"]))
    ingest = ingest.model_copy(update={"pseudonym_map": str(out / "map.tsv")})
    execution = ExecutionConfig(workers=1)
    inventory = nodes.list_visits(study, execution, role=_ROLE)
    require_complete(study.source, Path(study.path), inventory)
    plan = nodes.plan_ingest(inventory, {}, None, study, ingest, execution, role=_ROLE)
    nodes.show_plan(plan, role=_ROLE)
    bids = RecordFolder(filepath=str(out / "bids"), name="<subject>/<session>/anat/<key>_T1w")
    rejections = nodes._rows([*plan.inventory.rejections, *_convert_some(plan, bids, rng)])
    ledger, _ = nodes.write_ledger(plan, bids.load(), rejections, ingest, role=_ROLE)
    require_balance(inventory, ledger)
    participants = nodes.describe_participants(plan, bids.load())
    everyone = nodes.describe_participants(plan, dict.fromkeys(visit.key for visit in plan.inventory.visits))
    clinical = nodes.describe_clinical_visits(inventory)
    _write_tables(out, {"ledger": ledger, "participants": participants, "everyone": everyone, "clinical": clinical})
    BidsFolder(filepath=str(out / "bids")).save(nodes.describe_bids_folder(study, participants))
    _require_harmless(out)
    again = nodes.list_visits(study, execution, role=_ROLE)
    require(repr(again) == repr(inventory), "the same delivery gives the same inventory")
    nodes.plan_ingest(again, bids.load(), ledger, study, ingest, execution, role=_ROLE)
    return "converted" if len(participants) else "read"


def _convert_some(plan: IngestPlan, bids: RecordFolder, rng: random.Random) -> list[Rejection]:
    """Convert a third of the visits; give the others as rejections."""
    refused = []
    for visit in plan.inventory.visits:
        try:
            stored = _converted(visit, rng)
            bids.save({visit.key: stored._replace(record={**stored.record, "Fingerprint": plan.marks[visit.key]})})
        except CohortsmithError as error:
            refused.append(nodes._refused(visit, error))
    return refused


def _converted(visit: Visit, rng: random.Random) -> Stored:
    if rng.random() > SHARE_CONVERTED:
        raise CohortsmithError("left out to save time")
    return nodes.convert_one(visit)


def _write_tables(out: Path, tables: dict[str, pd.DataFrame]) -> None:
    for name, table in tables.items():
        Atomically(filepath=str(out / f"{name}.tsv"), dataset=_TABLE).save(table)


def _require_harmless(out: Path) -> None:
    for path in out.rglob("*.tsv"):
        require_harmless_table(path)
    for path in out.rglob("*.json"):
        require_plain("a sidecar", path.read_bytes().decode("utf-8"))
    require(all(_is_plain_name(path.name) for path in out.rglob("*")), "plain file names")


def _is_plain_name(name: str) -> bool:
    return name.isascii() and name.isprintable() and not name.startswith(("=", "-", "+", "@"))


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/cohortsmith/" in frame.filename] or list(frames)
    law = str(error) if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} {law} at {Path(own[-1].filename).name}:{own[-1].lineno}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz_ingestion", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="CPU time, that of child processes included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--round", type=int, default=-1, help="only this one")
    parser.add_argument("--source", choices=SOURCES, action="append", help="only these; changes the rounds")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sources = tuple(arguments.source or SOURCES)
    if arguments.round >= 0:
        print(fuzz(arguments.seed, arguments.round, sources))
        return 0
    return _many(arguments.seed, sources, arguments.seconds)


def _many(seed: int, sources: tuple[str, ...], seconds: float) -> int:
    """Do rounds until the time is used up; say each minute how many. Give 1 if any failed."""
    found: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    number, told = 0, time.monotonic()
    while _cpu_seconds() < seconds:
        try:
            one = fuzz(seed, number, sources)
            endings[f"{one.source} {one.ending}"] += 1
        except (Exception, TooSlow) as error:
            _tell(error, found, seed, number)
        number += 1
        if time.monotonic() - told > 60:
            told = time.monotonic()
            print(_count(number, found), flush=True)
    print(_count(number, found))
    for ending, count in sorted(endings.items()):
        print(f"  {ending:<28} {count}")
    return int(bool(found))


def _count(rounds: int, found: Counter[str]) -> str:
    return f"{rounds} rounds, {_cpu_seconds():.0f} s of CPU, {len(found)} distinct failures"


def _tell(error: BaseException, found: Counter[str], seed: int, number: int) -> None:
    place = _place(error)
    found[place] += 1
    if found[place] == 1:
        print(f"FAILURE {place}\n  repeat: --seed {seed} --round {number}", flush=True)
        traceback.print_exception(error, file=sys.stdout)
        sys.stdout.flush()


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


if __name__ == "__main__":
    sys.exit(main())
