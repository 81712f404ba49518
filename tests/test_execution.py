import logging
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.errors import CohortsmithError, ConfigurationError, ScanRejected
from cohortsmith.execution import available_memory_gb, dask_engine, resources, run_items, workers_that_fit


def square(number: int) -> int:
    return number * number


def reject_odd(number: int) -> int:
    if number % 2:
        raise ScanRejected("odd", where=f"item {number}")
    return number


def die_at_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def divide_by_two_less(number: int) -> float:
    return 1 / (number - 2)


def break_with_a_name(_: int) -> None:
    raise OSError("/scans/Jane_Doe/T1.nii is gone")


def threads(_: int) -> str:
    return os.environ["OMP_NUM_THREADS"] + os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"]


def run_out_of_memory(_: int) -> None:
    raise MemoryError


def die_the_first_time(number: int, folder: str) -> int:
    if number == 1 and not (mark := Path(folder) / "tried").exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def items(count: int) -> dict[str, tuple[int]]:
    return {str(number): (number,) for number in range(count)}


def test_every_item_comes_back_under_its_key():
    outcomes = {outcome.key: outcome.value for outcome in run_items(square, items(5), workers=2, title="square")}

    assert outcomes == {"0": 0, "1": 1, "2": 4, "3": 9, "4": 16}


def test_a_rejected_item_carries_its_reason_and_the_others_go_on():
    outcomes = {outcome.key: outcome for outcome in run_items(reject_odd, items(4), workers=2, title="reject")}

    assert [outcomes[key].value for key in ("0", "2")] == [0, 2]
    assert "item 3" in str(outcomes["3"].error)


def test_a_killed_worker_costs_only_its_own_item():
    outcomes = {outcome.key: outcome for outcome in run_items(die_at_two, items(5), workers=2, title="die")}

    assert [key for key, outcome in outcomes.items() if outcome.error] == ["2"]
    assert "worker process died" in str(outcomes["2"].error)


def test_an_unforeseen_error_stops_the_step_when_the_others_are_done():
    done = []

    with pytest.raises(CohortsmithError, match=r"2: ZeroDivisionError at test_execution\.py") as caught:
        done.extend(outcome.key for outcome in run_items(divide_by_two_less, items(4), workers=1, title="break"))

    assert caught.value.exit_code == 1


def test_the_message_of_an_unforeseen_error_stays_where_it_was():
    with pytest.raises(CohortsmithError) as caught:
        list(run_items(break_with_a_name, items(1), workers=1, title="break"))

    assert "Jane" not in str(caught.value)


def test_workers_compute_with_one_thread_and_the_caller_keeps_its_own_setting(monkeypatch):
    monkeypatch.delenv("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", raising=False)

    outcomes = list(run_items(threads, items(1), workers=1, title="threads"))

    assert outcomes[0].value == "11"
    assert "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS" not in os.environ


def test_progress_speaks_in_tenths_where_no_bar_can_be_drawn(capfd):
    list(run_items(square, items(20), workers=1, title="count"))

    spoken = [line for line in capfd.readouterr().err.splitlines() if line.startswith("count")]
    assert len(spoken) == 10
    assert spoken[-1].startswith("count: 20 of 20")


def test_progress_is_never_silent_for_long(capfd, monkeypatch):
    monkeypatch.setattr(sys.modules["cohortsmith.execution.progress"], "LONGEST_SILENCE", 0.0)

    list(run_items(square, items(15), workers=1, title="count"))

    assert capfd.readouterr().err.count("count: ") == 15


def test_memory_that_runs_out_costs_the_item_and_says_what_to_do():
    (outcome,) = run_items(run_out_of_memory, items(1), workers=1, title="memory")

    assert "memory ran out" in str(outcome.error) and "fewer workers" in str(outcome.error)


def test_a_worker_lost_once_is_made_good_by_a_second_attempt(tmp_path):
    jobs = {str(number): (number, str(tmp_path)) for number in range(3)}

    outcomes = {outcome.key: outcome.value for outcome in run_items(die_the_first_time, jobs, workers=2, title="retry")}

    assert outcomes == {"0": 0, "1": 1, "2": 2}


class TestMemory:
    def test_fewer_workers_are_started_where_memory_is_short(self, monkeypatch, caplog):
        monkeypatch.setattr(resources, "available_memory_gb", lambda: 7.9)
        caplog.set_level(logging.INFO)

        assert workers_that_fit(4, 2.0) == 3
        assert "3 workers of at most 2.0 GB each; 7.9 GB are free" in caplog.text
        assert workers_that_fit(2, 2.0) == 2
        assert workers_that_fit(4, 0) == 4

    def test_one_worker_is_started_with_a_warning_even_if_it_may_not_fit(self, monkeypatch, caplog):
        monkeypatch.setattr(resources, "available_memory_gb", lambda: 1.0)

        assert workers_that_fit(4, 2.0) == 1
        assert "may need more memory" in caplog.text

    def test_the_limit_of_a_container_counts(self, monkeypatch, tmp_path):
        (tmp_path / "max").write_text("3221225472\n")
        (tmp_path / "current").write_text("1073741824\n")
        monkeypatch.setattr(resources, "_LIMITS", ((tmp_path / "max", tmp_path / "current"),))
        assert available_memory_gb() == pytest.approx(min(2.0, psutil.virtual_memory().available / 2**30), rel=0.1)
        (tmp_path / "max").write_text("max\n")
        assert available_memory_gb() == pytest.approx(psutil.virtual_memory().available / 2**30, rel=0.2)


def note_and_wait(number: int, folder: str) -> int:
    mark = Path(folder) / str(number)
    mark.write_text(str(os.getpid()))
    time.sleep(0.5)
    return number


def test_dask_that_is_not_installed_is_a_configuration_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(ConfigurationError, match=r"cohortsmith\[cluster\]"):
        list(run_items(square, items(1), title="dask", execution=ExecutionConfig(engine="dask")))


@pytest.mark.slow
class TestDask:
    def test_a_worker_killed_midway_costs_nothing_and_a_deadly_item_only_itself(self, tmp_path):
        pytest.importorskip("distributed")
        two = ExecutionConfig(engine="dask", workers=2)
        jobs = {str(number): (number, str(tmp_path)) for number in range(6)}

        outcomes = run_items(note_and_wait, jobs, title="dask", execution=two)
        first = next(outcomes)
        running = {path.name: int(path.read_text()) for path in tmp_path.iterdir() if path.name != first.key}
        os.kill(next(iter(running.values())), signal.SIGKILL)
        values = {outcome.key: outcome.value for outcome in [first, *outcomes]}

        assert values == {str(number): number for number in range(6)}
        assert [name for name, pid in running.items() if int((tmp_path / name).read_text()) != pid] != []

    def test_an_item_that_kills_every_worker_is_set_aside_alone(self):
        pytest.importorskip("distributed")
        two = ExecutionConfig(engine="dask", workers=2)

        outcomes = {outcome.key: outcome for outcome in run_items(die_at_two, items(5), title="die", execution=two)}

        assert [key for key, outcome in outcomes.items() if outcome.error] == ["2"]
        assert "2 attempts" in str(outcomes["2"].error)

    def test_a_named_scheduler_is_used_and_left_running(self):
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
            named = ExecutionConfig(engine="dask", scheduler=cluster.scheduler_address)
            values = [outcome.value for outcome in run_items(square, items(3), title="named", execution=named)]
            assert sorted(values) == [0, 1, 4]
            assert cluster.scheduler.status.name == "running"

    def test_a_scheduler_that_does_not_answer_is_a_configuration_error(self, monkeypatch):
        distributed = pytest.importorskip("distributed")

        def fail(*_, **__):
            raise TimeoutError

        monkeypatch.setattr(distributed, "Client", fail)
        with pytest.raises(ConfigurationError, match="does not answer"):
            dask_engine._join(distributed, "tcp://127.0.0.1:1")
