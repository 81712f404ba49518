"""Whatever happens to one scan, to the disk or to the run: nothing is lost, and the next run does only what is left."""

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.preparation import BiasFieldConfig, CorrespondenceConfig, PreparationConfig, RegistrationConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import PhantomConfig
from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.errors import CohortsmithError
from cohortsmith.execution import Outcome
from cohortsmith.imaging import atomic_write
from cohortsmith.imaging.decisions import Decision
from cohortsmith.imaging.phantom import make_scan
from cohortsmith.imaging.preparation_files import prepare_file
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.volume import Volume
from cohortsmith.pipelines.prepare import nodes, plan
from cohortsmith.pipelines.prepare.nodes import (
    collect_decisions,
    decide_scans,
    memory_needed_gb,
    plan_preparation,
    prepare_scans,
)

SLICES = PreparationConfig(kind="slices", downsample=2)
TWO_WORKERS = ExecutionConfig(workers=2)
NAME = "<subject>/<session>/anat/<key>"


def raw_folder(root: Path) -> RecordFolder:
    return RecordFolder(filepath=str(root / "bids"), name=f"{NAME}_T1w")


def prepared_folder(root: Path) -> RecordFolder:
    return RecordFolder(filepath=str(root / "prepared"), name=f"{NAME}_desc-prepared_T1w")


def deliver(root: Path, rng: np.random.Generator, names: str = "12345") -> None:
    """Put small slices where the ingest puts them."""
    for name in names:
        image = Volume(rng.integers(0, 200, (16, 20, 1)).astype(np.float32), np.eye(4))
        raw_folder(root).save({f"sub-{name}_ses-1": Stored({"Fingerprint": f"content {name}"}, image)})


def prepare(
    root: Path,
    preparation: PreparationConfig = SLICES,
    execution: ExecutionConfig = TWO_WORKERS,
    decisions: dict[str, Decision] | None = None,
    function: Any = None,
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Do as Kedro does with the nodes: load, and save each batch the moment it comes."""
    scans, folder = raw_folder(root).load(), prepared_folder(root)
    made, counts = plan_preparation(scans, folder.load(), decisions or {}, preparation, role="training")
    rejections: list[dict[str, str]] = []
    for batch, told in prepare_scans(made, scans, preparation, execution, role="training", prepare=function):
        folder.save(batch)
        rejections = told
    return counts, rejections


def names(root: Path) -> str:
    """Give the subjects that have a result."""
    return "".join(sorted(key[4] for key in prepared_folder(root).load()))


def leftovers(root: Path) -> list[Path]:
    """Give what is neither a whole result nor a record: temporary files, results without a record."""
    whole = {Path(stored.path).name.split(".")[0] for stored in prepared_folder(root).load().values()}
    files = [path for path in (root / "prepared").rglob("*") if path.is_file()]
    return [path for path in files if path.name.startswith(".") or path.name.split(".")[0] not in whole]


def contents(root: Path) -> dict[str, bytes]:
    files = [path for path in (root / "prepared").rglob("*") if path.is_file() and path.suffix != ".json"]
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture
def study(tmp_path: Path, rng: np.random.Generator) -> Path:
    deliver(tmp_path, rng)
    return tmp_path


def take_the_worker_down(key: str, path: str, preparation: PreparationConfig) -> Stored:
    """Fault, leave, and abort as ITK does when an exception leaves a destructor."""
    {
        "sub-2": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "sub-3": lambda: os._exit(1),
        "sub-4": os.abort,
    }.get(key[:5], int)()
    return prepare_file(key, path, preparation)


def fail_unforeseen_at_third(key: str, path: str, preparation: PreparationConfig) -> Stored:
    if key.startswith("sub-3"):
        raise ZeroDivisionError(path)
    return prepare_file(key, path, preparation)


def slowly(key: str, path: str, preparation: PreparationConfig) -> Stored:
    time.sleep(0.4)
    return prepare_file(key, path, preparation)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the seconds that worker processes take to start, where a test is not about them."""
    monkeypatch.setattr(nodes, "run_items", lambda function, items, **_: serially(function, items))


def serially(function: Any, items: dict[str, tuple[Any, ...]]) -> Any:
    for key, arguments in items.items():
        yield Outcome(key, value=function(*arguments))


@pytest.mark.usefixtures("in_this_process")
class TestReuse:
    def test_nothing_is_done_twice(self, study):
        first, _ = prepare(study)
        before = contents(study)
        times = {path: path.stat().st_mtime_ns for path in (study / "prepared").rglob("*.gz")}

        second, _ = prepare(study)

        assert first == {"reused": 0, "prepared": {"new": 5}, "removed": 0, "dropped": 0}
        assert second == {"reused": 5, "prepared": {}, "removed": 0, "dropped": 0}
        assert contents(study) == before
        assert {path: path.stat().st_mtime_ns for path in times} == times

    def test_each_cause_is_counted_and_said(self, study, rng, caplog):
        prepare(study)
        deliver(study, rng, "6")
        scans = raw_folder(study).load()
        raw_folder(study).save({"sub-1_ses-1": Stored({"Fingerprint": "another content"}, scans["sub-1_ses-1"].load())})
        raw_folder(study).save({"sub-5_ses-1": None})
        next((study / "prepared").rglob("sub-2*.nii.gz")).unlink()
        caplog.set_level(logging.INFO)

        counts, _ = prepare(study)

        assert counts["reused"] == 2 and counts["removed"] == 1
        assert counts["prepared"] == {"scan changed": 1, "new": 1, "files missing": 1}
        assert "training scans: 2 reused, 3 to prepare (" in caplog.text and "1 scan changed" in caplog.text
        assert names(study) == "12346" and leftovers(study) == []

    def test_a_changed_setting_redoes_all_and_one_without_effect_none(self, study):
        prepare(study)

        lenient, _ = prepare(study, SLICES.model_copy(update={"minimum_correlation": 0.1}))
        finer, _ = prepare(study, SLICES.model_copy(update={"downsample": 1}))

        assert lenient["reused"] == 5
        assert finer["prepared"] == {"parameters changed": 5}

    def test_another_version_of_a_library_redoes_all(self, study, monkeypatch):
        prepare(study)
        monkeypatch.setattr(plan, "software_versions", lambda config: {"cohortsmith": "99.0"})

        assert prepare(study)[0]["prepared"] == {"software changed": 5}

    def test_another_template_and_what_is_to_be_kept_are_causes(self):
        volumes = PreparationConfig()
        origin = {"scan": "s", "parameters": "p", "template": "t", "software": "v"}
        done = Stored({"MadeFrom": {**origin, "template": "old"}, "Kept": ["transform"]}, path=__file__)

        assert plan.why(done, origin, []) == "template changed"
        done.record["MadeFrom"] = origin
        assert plan.why(done, origin, ["transform"]) == ""
        assert plan.why(done, origin, ["registered", "transform"]) == "files missing"
        assert plan.why(Stored({}, path=__file__), origin, []) == "of unknown origin"
        assert volumes.keep == ()

    def test_a_damaged_record_is_made_again(self, study):
        prepare(study)
        record = next((study / "prepared").rglob("sub-4*.json"))
        record.write_text(record.read_text()[:50])

        assert prepare(study)[0]["prepared"] == {"new": 1}
        assert names(study) == "12345"


class TestFailures:
    def test_scans_that_take_their_workers_down_are_set_aside_after_their_attempts(self, study):
        _, rejections = prepare(study, function=take_the_worker_down)

        assert names(study) == "15" and leftovers(study) == []
        assert sorted(row["key"] for row in rejections) == ["sub-2_ses-1", "sub-3_ses-1", "sub-4_ses-1"]
        assert all("worker process died" in row["reason"] and "2 attempts" in row["reason"] for row in rejections)

    def test_an_unforeseen_error_lets_the_others_finish_and_then_fails_the_step(self, study):
        with pytest.raises(CohortsmithError, match="sub-3_ses-1: ZeroDivisionError") as caught:
            prepare(study, function=fail_unforeseen_at_third)

        assert caught.value.exit_code == 1 and str(study) not in str(caught.value)
        assert names(study) == "1245" and leftovers(study) == []

    @pytest.mark.usefixtures("in_this_process")
    def test_a_full_disk_leaves_whole_files_and_the_next_run_goes_on(self, study, monkeypatch):
        written = []

        def write_until_full(path: Path, content: bytes) -> None:
            written.append(path)
            path.write_bytes(content[: len(content) // (1 + (len(written) > 4))])
            if len(written) > 4:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

        with monkeypatch.context() as full:
            full.setattr(atomic_write, "_write_through", write_until_full)
            with pytest.raises(Exception, match="the disk is full") as caught:
                prepare(study)

        assert isinstance(caught.value.__cause__, CohortsmithError) and str(study) not in str(caught.value.__cause__)
        assert len(names(study)) == 2 and leftovers(study) == []
        assert prepare(study)[0]["reused"] == 2 and names(study) == "12345"

    @pytest.mark.slow
    @pytest.mark.usefixtures("in_this_process")
    def test_a_killed_run_goes_on_where_it_stopped(self, study):
        script = (
            "from pathlib import Path; from tests.pipelines.test_prepare import *\n"
            f"if __name__ == '__main__': prepare(Path({str(study)!r}), execution=ExecutionConfig(workers=1), "
            "function=slowly)"
        )
        (study / "run.py").write_text(script)
        root = Path(__file__).resolve().parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        running = subprocess.Popen([sys.executable, str(study / "run.py")], env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(names(study)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        running.kill()
        running.wait()
        done = len(names(study))

        counts, _ = prepare(study)

        assert 2 <= done < 5
        assert counts["reused"] == done and counts["prepared"] == {"new": 5 - done}
        assert names(study) == "12345" and leftovers(study) == []


@pytest.mark.usefixtures("in_this_process")
class TestDecisions:
    def test_a_dropped_scan_is_not_prepared_and_listed_with_its_reason(self, study):
        counts, rejections = prepare(study, decisions={"sub-2_ses-1": Decision("drop", "motion", "person")})

        assert counts["dropped"] == 1 and names(study) == "1345"
        assert [(row["key"], row["reason"], row["rule"]) for row in rejections] == [
            ("sub-2_ses-1", "motion", "person.drop")
        ]

    def test_a_scan_dropped_later_stays_to_be_looked_at_but_is_not_used(self, study):
        prepare(study)
        decisions = {"sub-2_ses-1": Decision("drop", "motion", "person")}

        counts, rejections = prepare(study, decisions=decisions)
        table, kept, dropped = decide_scans(prepared_folder(study).load(), decisions, SLICES, role="training")

        assert counts["reused"] == 5 and rejections == [] and names(study) == "12345"
        assert sorted(key[4] for key in kept) == ["1", "3", "4", "5"]
        assert dropped[0]["reason"] == "motion" and dropped[0]["rule"] == "person.drop"
        assert table.set_index("key").loc["sub-2_ses-1", ["decision", "decided_by"]].tolist() == ["drop", "person"]

    def test_a_configured_table_goes_before_the_one_beside_the_results(self, study, caplog):
        (study / "own.tsv").write_text("participant_id\tsession_id\tdecision\treason\nsub-1\t\tdrop\tblurred\n")
        beside = pd.DataFrame({"participant_id": ["sub-2"], "decision": ["drop"]})
        caplog.set_level(logging.INFO)
        own = SLICES.model_copy(update={"decisions": str(study / "own.tsv")})

        assert set(collect_decisions(raw_folder(study).load(), beside, own, role="training")) == {"sub-1_ses-1"}
        assert set(collect_decisions(raw_folder(study).load(), beside, own, role="external")) == {"sub-2_ses-1"}
        assert "a person dropped 1 scans" in caplog.text

    def test_what_does_not_resemble_the_template_is_dropped_unless_a_person_keeps_it(self):
        scans = {"sub-1_ses-1": Stored({"Quality": {"template_correlation": 0.2}})}
        keep = {"sub-1_ses-1": Decision("keep", "a large tumour", "person")}

        _, kept, dropped = decide_scans(scans, {}, PreparationConfig(), role="training")
        _, kept_by_person, dropped_then = decide_scans(scans, keep, PreparationConfig(), role="training")

        assert kept == {} and "does not resemble" in dropped[0]["reason"]
        assert list(kept_by_person) == ["sub-1_ses-1"] and dropped_then == []


class TestMemory:
    def test_the_largest_scan_decides(self, tmp_path):
        paths = []
        for size in (20, 100):
            raw_folder(tmp_path).save(
                {f"sub-{size}_ses-1": Stored({}, Volume(np.zeros((size, size, size), np.float32), np.eye(4)))}
            )
            paths.append(raw_folder(tmp_path).load()[f"sub-{size}_ses-1"].path)
        coarse = PreparationConfig(resolution=4.0)

        small, both, fine = (
            memory_needed_gb(paths[:1], coarse),
            memory_needed_gb(paths, coarse),
            memory_needed_gb(paths, PreparationConfig()),
        )

        assert 0.5 < small < both < fine < 1.5
        assert both - small == pytest.approx(25 * (100**3 - 20**3) / 2**30)
        with_brain = memory_needed_gb(paths, coarse.model_copy(update={"brain_extraction": True}))
        assert with_brain - both == pytest.approx(1.0)

    def test_slices_and_unreadable_files_need_nothing_known(self, tmp_path):
        (tmp_path / "broken.nii.gz").write_bytes(b"nothing")

        assert memory_needed_gb([], PreparationConfig()) == 0
        assert memory_needed_gb([str(tmp_path / "a.nii")], SLICES) == 0
        assert nodes._voxels(str(tmp_path / "broken.nii.gz")) == 0


COARSE = PreparationConfig(
    resolution=6.0,
    downsample=1,
    keep=("bias_field", "registered"),
    bias_field=BiasFieldConfig(resolution=12.0, iterations=(3,)),
    registration=RegistrationConfig(
        template_resolution=6.0,
        iterations=(10,),
        shrink_factors=(1,),
        smoothing_sigmas=(4,),
        sampling_fraction=0.2,
        correspondence=CorrespondenceConfig(resolution=8.0, iterations=(3, 2)),
    ),
)
ENGINES = [
    ExecutionConfig(workers=1),
    ExecutionConfig(workers=2),
    ExecutionConfig(engine="dask", workers=2),
]


@pytest.mark.ants
@pytest.mark.slow
def test_the_same_scans_give_the_same_bytes_whoever_works(tmp_path):
    written = []
    for number, execution in enumerate(ENGINES):
        for index in range(3):
            scan = make_scan(PhantomConfig(voxel_size=7.0), "training", index).volume
            raw_folder(tmp_path / str(number)).save({f"sub-{index}_ses-1": Stored({"Fingerprint": str(index)}, scan)})
        _, rejections = prepare(tmp_path / str(number), COARSE, execution)
        assert rejections == []
        written.append(contents(tmp_path / str(number)))

    assert len(written[0]) == 3 * 4  # scan, transform, bias field, registered scan
    assert written[0] == written[1] == written[2]
